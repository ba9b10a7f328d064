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

    fn watch_now(&self) -> Result<mpsc::Receiver<Vec<Title>>, PortError> {
        let mut watchers = self.watchers.lock();
        let mut titles = Vec::new();
        for guard in self.files.titles.iter() {
            let (id, json) = guard.into_inner().map_err(|error| self.files.failure(error))?;
            let title = serde_json::from_slice(&json).map_err(|error| {
                damaged(&self.files.what, format!("title {}: {error}", String::from_utf8_lossy(&id)))
            })?;
            titles.push(title);
        }
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
