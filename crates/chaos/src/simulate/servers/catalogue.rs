//! The catalogue's server: every version of every title that was ever put, in order.

use nearline_model::Title;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Notify;

/// What the server holds.
#[derive(Default)]
pub struct CatalogueServer {
    /// All that was ever put, in order.
    pub put: Vec<Title>,
    /// Woken whenever titles are put.
    pub news: Arc<Notify>,
}

impl CatalogueServer {
    /// Stores titles in the place of those with the same ids.
    pub fn put(&mut self, titles: Vec<Title>) {
        self.put.extend(titles);
        self.news.notify_waiters();
    }

    /// The latest version of each title.
    pub fn latest(&self) -> BTreeMap<&str, &Title> {
        self.put.iter().map(|title| (title.id.as_str(), title)).collect()
    }

    /// Whether a title was ever put as it is here.
    pub fn had(&self, title: &Title) -> bool {
        self.put.iter().any(|put| put == title)
    }
}
