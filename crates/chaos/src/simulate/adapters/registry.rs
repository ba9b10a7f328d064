//! The registry of nodes, in memory: one order of announcements for everybody, keys that are written over
//! the revision last seen, and questions from node to node.

use crate::simulate::mutation::Mutation;
use crate::simulate::network::Link;
use crate::simulate::servers::Servers;
use crate::simulate::servers::registry::{RegistryServer, unavailable};
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::control::assignment::NodeId;
use nearline_ports::{Announced, Announcement, Membership, MembershipEvent, PortError, Question};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::timeout;

/// How long a watcher waits before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Events brought to a watcher at once.
const BATCH: usize = 64;
/// Events and questions on their way inside a node.
const ON_THE_WAY: usize = 256;
/// Attempts to write a key that somebody else writes, too.
const ATTEMPTS: usize = 4;

/// A key as this process wrote or read it last.
#[derive(Clone, Copy)]
struct Written {
    incarnation: u64,
    revision: u64,
}

/// The port.
pub struct SimulatedMembership {
    link: Link<Servers>,
    news: Arc<Notify>,
    written: Mutex<BTreeMap<NodeId, Written>>,
}

impl SimulatedMembership {
    /// A client of the server.
    pub fn new(link: Link<Servers>, server: &RegistryServer) -> Self {
        Self { link, news: server.news.clone(), written: Mutex::default() }
    }

    async fn found(&self, node: &NodeId) -> Result<(u64, Option<u64>), PortError> {
        let node = node.clone();
        self.link.call(move |servers| is_there(servers).map(|()| servers.registry.found(&node))).await
    }

    /// Writes a node's key over what it wrote last.
    async fn write(&self, announcement: &Announcement) -> Result<Announced, PortError> {
        let (node, incarnation) = (announcement.beat.node.clone(), announcement.beat.incarnation);
        for _ in 0..ATTEMPTS {
            let known = self.written.lock().get(&node).copied();
            let known = known.filter(|known| known.incarnation == incarnation);
            let over = match known {
                Some(known) => known.revision,
                None => self.found(&node).await?.0,
            };
            let (key, value) = (node.clone(), announcement.clone());
            let written = self
                .link
                .call(move |servers| {
                    if servers.fails() {
                        return Err(unavailable("busy"));
                    }
                    if !servers.registry.is_there() && servers.mutation == Some(Mutation::ForgetAnnouncements)
                    {
                        return Ok(Ok(over));
                    }
                    is_there(servers)?;
                    servers.takes_announcement()?;
                    Ok(servers.registry.write(&key, Some(value.clone()), over))
                })
                .await?;
            if let Ok(revision) = written {
                self.written.lock().insert(node, Written { incarnation, revision });
                return Ok(Announced::Done);
            }
            let (revision, by) = self.found(&node).await?;
            if known.is_some() {
                // An own write whose answer was lost is no rival.
                if by.is_some_and(|by| by != incarnation) {
                    return Ok(Announced::Replaced);
                }
                self.written.lock().insert(node.clone(), Written { incarnation, revision });
            }
        }
        Err(unavailable("others write the key all the time"))
    }
}

/// What is said where the registry was deleted.
const GONE: &str = "it is gone";

fn is_there(servers: &Servers) -> Result<(), PortError> {
    if servers.registry.is_there() { Ok(()) } else { Err(unavailable(GONE)) }
}

fn was_gone(error: &PortError) -> bool {
    matches!(error, PortError::Unavailable { detail, .. } if detail == GONE)
}

#[async_trait]
impl Membership for SimulatedMembership {
    async fn announce(&self, announcement: &Announcement) -> Result<Announced, PortError> {
        match self.write(announcement).await {
            // Whoever notices first makes it anew.
            Err(error) if was_gone(&error) => {
                let restore = |servers: &mut Servers| {
                    servers.takes_announcement()?;
                    if servers.registry.restore() {
                        servers.note(format_args!("registry made anew"));
                    }
                    Ok(())
                };
                self.link.call(restore).await?;
                self.write(announcement).await
            }
            outcome => outcome,
        }
    }

    async fn withdraw(&self, node: &NodeId, incarnation: u64) -> Result<(), PortError> {
        let (revision, by) = self.found(node).await?;
        if by != Some(incarnation) {
            return Ok(());
        }
        let node = node.clone();
        let withdraw = move |servers: &mut Servers| {
            is_there(servers)?;
            servers.takes_announcement()?;
            Ok(servers.registry.write(&node, None, revision))
        };
        let withdrawn = self.link.call(withdraw).await?;
        withdrawn.map(drop).map_err(|_| unavailable("it has announced itself since"))
    }

    async fn watch(&self) -> Result<mpsc::Receiver<MembershipEvent>, PortError> {
        let last = |servers: &mut Servers| {
            is_there(servers)?;
            Ok((servers.registry.last(), servers.registry.generation))
        };
        let ((last, after), generation) = self.link.call(last).await?;
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let (link, news) = (self.link.clone(), self.news.clone());
        tokio::spawn(async move {
            for event in last {
                if sender.send(event).await.is_err() {
                    return;
                }
            }
            // Ending closes the channel: the watcher watches again.
            let _broken = forward(&link, &news, (generation, after), &sender).await;
        });
        Ok(receiver)
    }

    async fn listen(&self, node: &NodeId) -> Result<mpsc::Receiver<Question>, PortError> {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let (node, mut sender) = (node.clone(), Some(sender));
        let listen = move |servers: &mut Servers| {
            // A call that arrives twice must not replace whoever listens since.
            if let Some(sender) = sender.take() {
                servers.registry.listeners.insert(node.clone(), sender);
            }
            Ok(())
        };
        self.link.call(listen).await?;
        Ok(receiver)
    }

    async fn ask(&self, node: &NodeId, body: Bytes) -> Result<Bytes, PortError> {
        let (reply, answer) = oneshot::channel();
        let (node, mut question) = (node.clone(), Some(Question { body, reply }));
        let ask = move |servers: &mut Servers| {
            let Some(question) = question.take() else { return Ok(()) };
            let listener = servers.registry.listeners.get(&node);
            let listener = listener.ok_or_else(|| unavailable("nobody listens there"))?;
            listener.try_send(question).map_err(|_| unavailable("nobody listens there any more"))
        };
        self.link.call(ask).await?;
        let answer = answer.await.map_err(|_| unavailable("the question was dropped"))?;
        self.link.call(move |_| Ok(answer.clone())).await
    }
}

/// Brings what is announced to a watcher until the connection breaks or nobody watches.
async fn forward(
    link: &Link<Servers>,
    news: &Notify,
    (generation, mut after): (u64, usize),
    sender: &mpsc::Sender<MembershipEvent>,
) -> Result<(), PortError> {
    while !sender.is_closed() {
        let told = news.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        let events = link
            .call(move |servers| {
                if servers.fails() {
                    return Err(unavailable("the watch lost its connection"));
                }
                if servers.registry.generation != generation {
                    // What is watched is not there any more.
                    let is_told = servers.mutation != Some(Mutation::ForgetWatchers);
                    return if is_told { Err(unavailable(GONE)) } else { Ok(Vec::new()) };
                }
                let events = &servers.registry.events[after..];
                Ok(events[..events.len().min(BATCH)].to_vec())
            })
            .await?;
        if events.is_empty() {
            // Either there is news, or it is time to look.
            let _told = timeout(LOOK_AGAIN, told).await;
        }
        after += events.len();
        for event in events {
            sender.send(event).await.map_err(|_| unavailable("nobody watches"))?;
        }
    }
    Ok(())
}
