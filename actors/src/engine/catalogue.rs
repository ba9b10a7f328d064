//! The catalogue on this node: loaded at the start, then followed.

use crate::retry::Backoff;
use nearline_model::catalogue::Catalogue;
use nearline_ports::{CatalogueStore, PortError};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// The catalogue, and whether it has come.
#[derive(Debug, Default)]
pub(crate) struct SharedCatalogue {
    /// Its titles. Hold the lock shortly.
    pub titles: RwLock<Catalogue>,
    loaded: AtomicBool,
}

impl SharedCatalogue {
    /// Nothing is here yet; with `only_catalogued`, only titles that will be may be shown.
    pub fn new(only_catalogued: bool) -> Self {
        Self { titles: RwLock::new(Catalogue::new(only_catalogued)), loaded: AtomicBool::new(false) }
    }

    /// Whether all that was stored at the start is here.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Relaxed)
    }
}

/// Loads the catalogue and keeps following it, through broken watches, until it is aborted. Waits for it for `patience` at
/// most: then it goes on without, says so, and follows it all the same.
pub(super) async fn follow_catalogue(
    store: Arc<dyn CatalogueStore>,
    catalogue: Arc<SharedCatalogue>,
    patience: Duration,
) -> Result<AbortHandle, PortError> {
    let mut titles = store.watch().await?;
    let (loaded, first_batch) = oneshot::channel();
    let following = catalogue.clone();
    let following = actix_rt::spawn(async move {
        let catalogue = following;
        let mut loaded = Some(loaded);
        let mut backoff = Backoff::new(50, 2_000);
        loop {
            // The first batch of a watch holds all that is there: it says what the revisions are.
            let mut is_first = true;
            while let Some(batch) = titles.recv().await {
                let put = if is_first { Catalogue::put_anew } else { Catalogue::put_newer };
                is_first = false;
                let mut titles = catalogue.titles.write();
                batch.into_iter().for_each(|entry| put(&mut titles, entry));
                drop(titles);
                backoff.reset();
                if !catalogue.loaded.swap(true, Relaxed) {
                    tracing::info!(titles = catalogue.titles.read().len(), "the catalogue is loaded");
                }
                if let Some(loaded) = loaded.take() {
                    let _gone = loaded.send(());
                }
            }
            loop {
                tokio::time::sleep(backoff.next_wait()).await;
                match store.watch().await {
                    Ok(again) => {
                        titles = again;
                        break;
                    }
                    Err(error) => tracing::warn!(%error, "the catalogue cannot be watched; trying again"),
                }
            }
        }
    });
    if tokio::time::timeout(patience, first_batch).await.is_err() {
        tracing::warn!(
            waited_ms = patience.as_millis() as u64,
            "the catalogue has not come: until it does, nothing is offered in a country, and the node is not ready"
        );
    }
    Ok(following.abort_handle())
}
