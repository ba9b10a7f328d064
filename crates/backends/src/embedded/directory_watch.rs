//! What becomes of a directory while it is open: whether it takes writes (after one that failed, its databases take none
//! until they are opened anew), and when nothing holds it any more.

use nearline_ports::PortError;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Bytes that must find room before opening anew is worth it.
const ROOM_BYTES: usize = 16 << 20;
const CHUNK_BYTES: usize = 1 << 20;

/// Tells what becomes of a directory while it is open. Clones tell the same.
#[derive(Debug, Clone)]
pub struct DirectoryWatch {
    write_failed: Arc<watch::Sender<Option<PortError>>>,
    open: Arc<watch::Sender<bool>>,
}

impl Default for DirectoryWatch {
    fn default() -> Self {
        Self { write_failed: Arc::new(watch::Sender::new(None)), open: Arc::new(watch::Sender::new(false)) }
    }
}

impl DirectoryWatch {
    /// A write failed: none will succeed before the directory is opened anew.
    pub(super) fn tell(&self, error: &PortError) {
        self.write_failed.send_if_modified(|told| told.is_none() && told.replace(error.clone()).is_none());
    }

    /// It is open, or not any more.
    pub(super) fn set_open(&self, is_open: bool) {
        self.open.send_replace(is_open);
    }

    /// Waits until a write has failed; gives why.
    pub async fn write_failed(&self) -> PortError {
        let mut told = self.write_failed.subscribe();
        let found = told.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match found {
            Some(error) => error,
            // The sender lives in `self`.
            None => std::future::pending().await,
        }
    }

    /// Whether a write has failed.
    pub fn has_write_failed(&self) -> bool {
        self.write_failed.borrow().is_some()
    }

    /// Waits until nothing holds the directory: all of it is in its files, and it may be opened again. At once where it
    /// was not opened.
    pub async fn closed(&self) {
        let mut open = self.open.subscribe();
        // The sender lives in `self`.
        let _closed = open.wait_for(|open| !open).await;
    }
}

/// Whether `directory` takes writes again: tried with as much as opening it may need, which is removed again.
/// Blocks.
pub fn takes_writes(directory: &Path) -> bool {
    let probe = Probe(directory.join("probe"));
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&probe.0)?;
        let chunk = vec![0xa5; CHUNK_BYTES];
        for _ in 0..ROOM_BYTES / CHUNK_BYTES {
            file.write_all(&chunk)?;
        }
        file.sync_all()
    };
    write().is_ok()
}

struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        // What cannot be removed is written over by the next one.
        let _ = std::fs::remove_file(&self.0);
    }
}
