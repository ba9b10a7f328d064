//! The catalogue of titles: durable, and on every node.

use crate::PortError;
use async_trait::async_trait;
use nearline_model::Title;
use tokio::sync::mpsc;

/// The catalogue. Titles put on one node reach the watchers of all nodes.
#[async_trait]
pub trait CatalogueStore: Send + Sync + 'static {
    /// Stores titles durably, replacing those with the same id.
    async fn put(&self, titles: Vec<Title>) -> Result<(), PortError>;

    /// All titles stored now, then every one that is put from now on, in batches. The first batch
    /// holds all that is there (it may be empty). The channel closes when the watch breaks: watch again.
    async fn watch(&self) -> Result<mpsc::Receiver<Vec<Title>>, PortError>;
}
