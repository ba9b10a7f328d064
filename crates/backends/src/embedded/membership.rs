//! The registry of nodes of an embedded directory: those of this process, mostly one.
//!
//! A directory belongs to one process, so all of its nodes are here. It is in memory: what a node
//! announced has no meaning after the process.

use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::control::assignment::NodeId;
use nearline_ports::{Announced, Announcement, Membership, MembershipEvent, PortError, Question};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::{mpsc, oneshot};

/// Events on their way to a watcher; one that is further behind has to watch again.
const WATCHER_EVENTS: usize = 1_024;
/// Questions on their way to a node; more wait.
const QUESTIONS: usize = 256;

#[derive(Default)]
struct Registry {
    nodes: BTreeMap<NodeId, Announcement>,
    /// Every life of a node that was ever announced.
    lives: BTreeSet<(NodeId, u64)>,
    watchers: Vec<mpsc::Sender<MembershipEvent>>,
    listeners: BTreeMap<NodeId, mpsc::Sender<Question>>,
}

impl Registry {
    fn tell(&mut self, event: &MembershipEvent) {
        self.watchers.retain(|watcher| watcher.try_send(event.clone()).is_ok());
    }
}

/// The registry of one directory.
#[derive(Default)]
pub struct EmbeddedMembership(Mutex<Registry>);

#[async_trait]
impl Membership for EmbeddedMembership {
    async fn announce(&self, announcement: &Announcement) -> Result<Announced, PortError> {
        let mut registry = self.0.lock();
        let beat = &announcement.beat;
        let key = (beat.node.clone(), beat.incarnation);
        let is_current =
            registry.nodes.get(&beat.node).is_some_and(|known| known.beat.incarnation == beat.incarnation);
        if !is_current && !registry.lives.insert(key) {
            return Ok(Announced::Replaced);
        }
        registry.nodes.insert(beat.node.clone(), announcement.clone());
        registry.tell(&MembershipEvent::Announced(announcement.clone()));
        Ok(Announced::Done)
    }

    async fn withdraw(&self, node: &NodeId, incarnation: u64) -> Result<(), PortError> {
        let mut registry = self.0.lock();
        if registry.nodes.get(node).is_some_and(|known| known.beat.incarnation == incarnation) {
            registry.nodes.remove(node);
            registry.tell(&MembershipEvent::Withdrawn(node.clone()));
        }
        Ok(())
    }

    async fn watch(&self) -> Result<mpsc::Receiver<MembershipEvent>, PortError> {
        let (sender, receiver) = mpsc::channel(WATCHER_EVENTS);
        let mut registry = self.0.lock();
        for announcement in registry.nodes.values() {
            // The receiver is here, and there is room unless there are a thousand nodes.
            let _full = sender.try_send(MembershipEvent::Announced(announcement.clone()));
        }
        registry.watchers.push(sender);
        Ok(receiver)
    }

    async fn listen(&self, node: &NodeId) -> Result<mpsc::Receiver<Question>, PortError> {
        let (sender, receiver) = mpsc::channel(QUESTIONS);
        self.0.lock().listeners.insert(node.clone(), sender);
        Ok(receiver)
    }

    async fn ask(&self, node: &NodeId, body: Bytes) -> Result<Bytes, PortError> {
        let away =
            |detail: &str| PortError::Unavailable { what: format!("node {node}"), detail: detail.into() };
        let listener =
            self.0.lock().listeners.get(node).cloned().ok_or_else(|| away("it does not listen"))?;
        let (reply, answer) = oneshot::channel();
        listener.send(Question { body, reply }).await.map_err(|_| away("it listens no more"))?;
        answer.await.map_err(|_| away("it gave no answer"))
    }
}
