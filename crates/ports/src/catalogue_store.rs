//! The catalogue of titles: durable, and on every node.

use crate::PortError;
use async_trait::async_trait;
use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
use tokio::sync::mpsc;

/// The catalogue. Titles put on one node reach the watchers of all nodes.
#[async_trait]
pub trait CatalogueStore: Send + Sync + 'static {
    /// Stores titles durably, replacing those with the same id; the revision of each, in order. A title's revision
    /// grows with each version of it.
    async fn put(&self, titles: Vec<Title>) -> Result<Vec<u64>, PortError>;

    /// Stores a title in the place of its version `revision`; the new revision, or `None` where another version has
    /// been stored since (nothing is changed then).
    async fn replace(&self, title: Title, revision: u64) -> Result<Option<u64>, PortError>;

    /// All titles stored now, then every one that is put from now on, in batches. The first batch
    /// holds all that is there (it may be empty). The channel closes when the watch breaks: watch again.
    async fn watch(&self) -> Result<mpsc::Receiver<Vec<CatalogueEntry>>, PortError>;
}
