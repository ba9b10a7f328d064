//! The catalogue of titles: on disk as JSON, and told to everyone in the process who watches.

use super::failure::{blocking, damaged};
use super::state_files::StateFiles;
use async_trait::async_trait;
use nearline_model::Title;
use nearline_ports::{CatalogueStore, PortError};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Batches that wait for a slow watcher; with more its watch ends, and it has to watch again.
const WAITING_BATCHES: usize = 1_024;
/// Titles below which another thread is not worth it.
const TITLES_PER_THREAD: usize = 2_048;

/// The catalogue in a directory.
#[derive(Clone)]
pub struct EmbeddedCatalogue {
    files: Arc<StateFiles>,
    /// Held while titles are written or read, so that a new watcher misses nothing between.
    watchers: Arc<Mutex<Vec<mpsc::Sender<Vec<Title>>>>>,
}

impl EmbeddedCatalogue {
    pub(super) fn new(files: Arc<StateFiles>) -> Self {
        Self { files, watchers: Arc::default() }
    }

    fn put_now(&self, titles: Vec<Title>) -> Result<(), PortError> {
        let mut watchers = self.watchers.lock();
        let mut batch = self.files.batch(titles.len(), self.files.persist);
        for title in &titles {
            let json = serde_json::to_vec(title).expect("a title is JSON");
            batch.insert(&self.files.titles, title.id.as_bytes(), json);
        }
        batch.commit().map_err(|error| self.files.failure(error))?;
        watchers.retain(|watcher| watcher.try_send(titles.clone()).is_ok());
        Ok(())
    }

    /// Reads titles on as many threads as there are cores: a large catalogue is what a start waits for longest.
    fn decode(&self, stored: &[(fjall::UserKey, fjall::UserValue)]) -> Result<Vec<Title>, PortError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = stored.len().div_ceil(threads).max(TITLES_PER_THREAD);
        let read = |some: &[(fjall::UserKey, fjall::UserValue)]| -> Result<Vec<Title>, PortError> {
            let title = |(id, json): &(fjall::UserKey, fjall::UserValue)| {
                serde_json::from_slice(json).map_err(|error| {
                    damaged(&self.files.what, format!("title {}: {error}", String::from_utf8_lossy(id)))
                })
            };
            some.iter().map(title).collect()
        };
        std::thread::scope(|scope| {
            let shares: Vec<_> = stored.chunks(share).map(|some| scope.spawn(move || read(some))).collect();
            let mut titles = Vec::with_capacity(stored.len());
            for share in shares {
                let read = share.join().map_err(|_| damaged(&self.files.what, "a title cannot be read"))?;
                titles.extend(read?);
            }
            Ok(titles)
        })
    }

    fn watch_now(&self) -> Result<mpsc::Receiver<Vec<Title>>, PortError> {
        let mut watchers = self.watchers.lock();
        let mut stored = Vec::new();
        for guard in self.files.titles.iter() {
            stored.push(guard.into_inner().map_err(|error| self.files.failure(error))?);
        }
        let titles = self.decode(&stored)?;
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
        sender.try_send(titles).expect("a new channel has room");
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(sender);
        Ok(receiver)
    }
}

#[async_trait]
impl CatalogueStore for EmbeddedCatalogue {
    async fn put(&self, titles: Vec<Title>) -> Result<(), PortError> {
        if titles.is_empty() {
            return Ok(());
        }
        let catalogue = self.clone();
        blocking(&self.files.what, move || catalogue.put_now(titles)).await
    }

    async fn watch(&self) -> Result<mpsc::Receiver<Vec<Title>>, PortError> {
        let catalogue = self.clone();
        blocking(&self.files.what, move || catalogue.watch_now()).await
    }
}
