//! The catalogue, in memory: titles put reach every watcher, in one order.

use crate::simulate::network::{Link, Server};
use crate::simulate::servers::Servers;
use crate::simulate::servers::catalogue::CatalogueServer;
use async_trait::async_trait;
use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
use nearline_ports::{CatalogueStore, PortError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

/// How long a watcher waits before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Titles brought to a watcher at once.
const BATCH: usize = 64;
/// Batches on their way inside a node.
const ON_THE_WAY: usize = 16;

/// The port.
pub struct SimulatedCatalogue {
    link: Link<Servers>,
    news: Arc<Notify>,
}

impl SimulatedCatalogue {
    /// A client of the server.
    pub fn new(link: Link<Servers>, server: &CatalogueServer) -> Self {
        Self { link, news: server.news.clone() }
    }
}

fn unavailable(detail: &str) -> PortError {
    PortError::Unavailable { what: "simulated catalogue".to_owned(), detail: detail.to_owned() }
}

#[async_trait]
impl CatalogueStore for SimulatedCatalogue {
    async fn put(&self, titles: Vec<Title>) -> Result<Vec<u64>, PortError> {
        let mut titles = Some(titles);
        let mut revisions = Vec::new();
        let put = move |servers: &mut Servers| {
            if servers.fails() {
                return Err(unavailable("busy"));
            }
            servers.takes_write(Server::Log)?;
            // A call that arrives twice must not put an older version over a newer one.
            if let Some(titles) = titles.take() {
                servers.note(format_args!("catalogue: {} titles put", titles.len()));
                revisions = servers.catalogue.put(titles);
            }
            Ok(revisions.clone())
        };
        self.link.call(put).await
    }

    async fn replace(&self, title: Title, revision: u64) -> Result<Option<u64>, PortError> {
        let replace = move |servers: &mut Servers| {
            if servers.fails() {
                return Err(unavailable("busy"));
            }
            servers.takes_write(Server::Log)?;
            if servers.catalogue.revision(&title.id) as u64 != revision {
                return Ok(None);
            }
            servers.note(format_args!("catalogue: title {} replaced", title.id));
            Ok(servers.catalogue.put(vec![title.clone()]).pop())
        };
        self.link.call(replace).await
    }

    async fn watch(&self) -> Result<mpsc::Receiver<Vec<CatalogueEntry>>, PortError> {
        let all = |servers: &mut Servers| {
            let catalogue = &servers.catalogue;
            let latest =
                catalogue.latest().into_keys().filter_map(|id| catalogue.entry(catalogue.revision(id)));
            Ok((latest.collect::<Vec<_>>(), catalogue.put.len()))
        };
        let (all, after) = self.link.call(all).await?;
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let (link, news) = (self.link.clone(), self.news.clone());
        tokio::spawn(async move {
            if sender.send(all).await.is_ok() {
                // Ending closes the channel: the watcher watches again.
                let _broken = forward(&link, &news, after, &sender).await;
            }
        });
        Ok(receiver)
    }
}

/// Brings what is put to a watcher until the connection breaks or nobody watches.
async fn forward(
    link: &Link<Servers>,
    news: &Notify,
    mut after: usize,
    sender: &mpsc::Sender<Vec<CatalogueEntry>>,
) -> Result<(), PortError> {
    while !sender.is_closed() {
        let told = news.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        let titles = link
            .call(move |servers| {
                if servers.fails() {
                    return Err(unavailable("the watch lost its connection"));
                }
                let upto = servers.catalogue.put.len().min(after + BATCH);
                Ok((after + 1..=upto)
                    .filter_map(|revision| servers.catalogue.entry(revision))
                    .collect::<Vec<_>>())
            })
            .await?;
        if titles.is_empty() {
            // Either there is news, or it is time to look.
            let _told = timeout(LOOK_AGAIN, told).await;
            continue;
        }
        after += titles.len();
        sender.send(titles).await.map_err(|_| unavailable("nobody watches"))?;
    }
    Ok(())
}
