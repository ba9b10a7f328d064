//! The fact stream: files of entries, of which the oldest go when there are too many.
//!
//! They are written to the operating system, not synced: what a power cut takes of them is a gap that is made again of the log.
//! Nothing of it is there before the first entry.

mod segments;

use super::directory::Directory;
use super::failure::{blocking, damaged};
use async_trait::async_trait;
use nearline_model::{Fact, FactEntry, MemberFacts};
use nearline_ports::{FactStream, PortError, StreamedFacts};
use parking_lot::Mutex;
use segments::Segments;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of one entry, about: what is read and decoded at a time.
const ENTRY_BYTES: usize = 4 << 20;

/// The fact stream in a directory.
pub struct EmbeddedFacts {
    what: String,
    path: PathBuf,
    most_bytes: u64,
    /// `None`: not opened yet.
    segments: Arc<Mutex<Option<Segments>>>,
    /// Locked as long as this lives.
    _directory: Arc<Directory>,
}

impl EmbeddedFacts {
    pub(super) fn new(directory: &Arc<Directory>, most_bytes: u64) -> Self {
        let path = directory.join("facts");
        Self {
            what: format!("the facts in {}", path.display()),
            path,
            most_bytes,
            segments: Arc::default(),
            _directory: directory.clone(),
        }
    }

    /// Does `work` with the files, which are opened where they are not.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Segments) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let (segments, path, most_bytes) = (self.segments.clone(), self.path.clone(), self.most_bytes);
        let what = self.what.clone();
        blocking(&self.what, move || {
            let mut held = segments.lock();
            let fail = |error: std::io::Error| super::failure::unavailable(&what, &error);
            let open = match &mut *held {
                Some(open) => open,
                closed => closed.insert(Segments::open(&path, most_bytes).map_err(fail)?),
            };
            work(open).map_err(fail)
        })
        .await
    }

    async fn append(&self, entries: Vec<FactEntry>) -> Result<(), PortError> {
        self.with(move |segments| segments.append(&entries, FactEntry::encode_behind)).await
    }
}

#[async_trait]
impl FactStream for EmbeddedFacts {
    async fn identity(&self) -> Result<String, PortError> {
        self.with(|segments| Ok(segments.identity().to_owned())).await
    }

    async fn put(&self, facts: MemberFacts) -> Result<(), PortError> {
        self.append(facts.split(ENTRY_BYTES).into_iter().map(FactEntry::Members).collect()).await
    }

    async fn put_decisions(&self, decisions: Vec<Fact>) -> Result<(), PortError> {
        match decisions.is_empty() {
            true => Ok(()),
            false => self.append(vec![FactEntry::Decisions(decisions)]).await,
        }
    }

    async fn last(&self) -> Result<u64, PortError> {
        self.with(|segments| Ok(segments.last())).await
    }

    async fn read(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
        let read = self.with(move |segments| segments.read(after, most)).await?;
        let decode = |(sequence, bytes): (u64, Vec<u8>)| {
            let entry = FactEntry::decode(&bytes)
                .map_err(|error| damaged(&self.what, format!("entry {sequence}: {error}")))?;
            Ok(StreamedFacts { sequence, entry })
        };
        read.into_iter().map(decode).collect()
    }
}
