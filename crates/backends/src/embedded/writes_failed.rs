//! Whether a directory takes writes: after one that failed, its databases take none until they are opened anew.

use nearline_ports::PortError;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch;

/// Bytes that must find room before opening anew is worth it.
const ROOM_BYTES: usize = 16 << 20;
const CHUNK_BYTES: usize = 1 << 20;

/// Tells that a directory takes no more writes. Clones tell the same.
#[derive(Debug, Clone)]
pub struct WritesFailed(Arc<watch::Sender<Option<PortError>>>);

impl Default for WritesFailed {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl WritesFailed {
    /// A write failed: none will succeed before the directory is opened anew.
    pub(super) fn tell(&self, error: &PortError) {
        self.0.send_if_modified(|told| told.is_none() && told.replace(error.clone()).is_none());
    }

    /// Waits until a write has failed; gives why.
    pub async fn told(&self) -> PortError {
        let mut told = self.0.subscribe();
        let found = told.wait_for(Option::is_some).await.ok().and_then(|told| told.clone());
        match found {
            Some(error) => error,
            // The sender lives in `self`.
            None => std::future::pending().await,
        }
    }

    /// Whether a write has failed.
    pub fn is_told(&self) -> bool {
        self.0.borrow().is_some()
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
