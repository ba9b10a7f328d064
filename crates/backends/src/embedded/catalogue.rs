//! The catalogue of titles: on disk as JSON, and told to everyone in the process who watches.

use super::failure::{blocking, damaged};
use super::state_files::StateFiles;
use async_trait::async_trait;
use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
use nearline_ports::{CatalogueStore, PortError};
use parking_lot::Mutex;
use std::collections::HashMap;
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
    changes: Arc<Mutex<Changes>>,
}

/// What changed since the directory was opened. Nobody but this process can change it.
#[derive(Default)]
struct Changes {
    watchers: Vec<mpsc::Sender<Vec<CatalogueEntry>>>,
    /// The last revision given.
    last: u64,
    /// Of each title that was put; 0 for the others.
    revisions: HashMap<String, u64>,
}

impl EmbeddedCatalogue {
    pub(super) fn new(files: Arc<StateFiles>) -> Self {
        Self { files, changes: Arc::default() }
    }

    fn put_now(&self, titles: Vec<Title>) -> Result<Vec<u64>, PortError> {
        self.write(&mut self.changes.lock(), titles)
    }

    fn replace_now(&self, title: Title, revision: u64) -> Result<Option<u64>, PortError> {
        let mut changes = self.changes.lock();
        if changes.revisions.get(&title.id).copied().unwrap_or_default() != revision {
            return Ok(None);
        }
        Ok(self.write(&mut changes, vec![title])?.pop())
    }

    fn write(&self, changes: &mut Changes, titles: Vec<Title>) -> Result<Vec<u64>, PortError> {
        let mut batch = self.files.batch(titles.len(), self.files.persist);
        for title in &titles {
            let json = serde_json::to_vec(title).expect("a title is JSON");
            batch.insert(&self.files.titles, title.id.as_bytes(), json);
        }
        batch.commit().map_err(|error| self.files.failure(error))?;
        let first = changes.last + 1;
        let entries: Vec<_> =
            (first..).zip(titles).map(|(revision, title)| CatalogueEntry { revision, title }).collect();
        changes.last += entries.len() as u64;
        let given = entries.iter().map(|entry| (entry.title.id.clone(), entry.revision));
        changes.revisions.extend(given);
        changes.watchers.retain(|watcher| watcher.try_send(entries.clone()).is_ok());
        Ok((first..=changes.last).collect())
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

    fn watch_now(&self) -> Result<mpsc::Receiver<Vec<CatalogueEntry>>, PortError> {
        let mut changes = self.changes.lock();
        let mut stored = Vec::new();
        for guard in self.files.titles.iter() {
            stored.push(guard.into_inner().map_err(|error| self.files.failure(error))?);
        }
        let entry = |title: Title| CatalogueEntry {
            revision: changes.revisions.get(&title.id).copied().unwrap_or_default(),
            title,
        };
        let entries = self.decode(&stored)?.into_iter().map(entry).collect();
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
        sender.try_send(entries).expect("a new channel has room");
        changes.watchers.retain(|watcher| !watcher.is_closed());
        changes.watchers.push(sender);
        Ok(receiver)
    }
}

#[async_trait]
impl CatalogueStore for EmbeddedCatalogue {
    async fn put(&self, titles: Vec<Title>) -> Result<Vec<u64>, PortError> {
        if titles.is_empty() {
            return Ok(Vec::new());
        }
        let catalogue = self.clone();
        blocking(&self.files.what, move || catalogue.put_now(titles)).await
    }

    async fn replace(&self, title: Title, revision: u64) -> Result<Option<u64>, PortError> {
        let catalogue = self.clone();
        blocking(&self.files.what, move || catalogue.replace_now(title, revision)).await
    }

    async fn watch(&self) -> Result<mpsc::Receiver<Vec<CatalogueEntry>>, PortError> {
        let catalogue = self.clone();
        blocking(&self.files.what, move || catalogue.watch_now()).await
    }
}
