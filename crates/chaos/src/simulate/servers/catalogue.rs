//! The catalogue's server: every version of every title that was ever put, in order.

use nearline_model::Title;
use nearline_model::catalogue::CatalogueEntry;
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
    /// Stores titles in the place of those with the same ids; their revisions.
    pub fn put(&mut self, titles: Vec<Title>) -> Vec<u64> {
        let before = self.put.len() as u64;
        self.put.extend(titles);
        self.news.notify_waiters();
        (before + 1..=self.put.len() as u64).collect()
    }

    /// The version of a title that is `revision`'s.
    pub fn entry(&self, revision: usize) -> Option<CatalogueEntry> {
        let title = self.put.get(revision.checked_sub(1)?)?.clone();
        Some(CatalogueEntry { revision: revision as u64, title })
    }

    /// The revision of the latest version of the title with `id`; 0 where there is none.
    pub fn revision(&self, id: &str) -> usize {
        self.put.iter().rposition(|title| title.id == id).map_or(0, |index| index + 1)
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
