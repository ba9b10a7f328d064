//! The journal of remediations: by id, which orders them by time.

use super::failure::{blocking, damaged};
use super::state_files::StateFiles;
use async_trait::async_trait;
use nearline_model::control::remediation::Remediation;
use nearline_ports::{JOURNAL_ENTRIES, PortError, RemediationJournal};
use std::sync::Arc;

/// The journal in a directory.
pub struct EmbeddedJournal {
    files: Arc<StateFiles>,
    /// Held while entries are written, so that trimming counts right.
    writing: Arc<parking_lot::Mutex<()>>,
}

impl EmbeddedJournal {
    pub(super) fn new(files: Arc<StateFiles>) -> Self {
        Self { files, writing: Arc::default() }
    }
}

#[async_trait]
impl RemediationJournal for EmbeddedJournal {
    async fn put(&self, remediation: &Remediation) -> Result<(), PortError> {
        let (files, writing, remediation) = (self.files.clone(), self.writing.clone(), remediation.clone());
        blocking(&self.files.what, move || {
            let _held = writing.lock();
            let json = serde_json::to_vec(&remediation).expect("a struct of text and numbers is JSON");
            let mut ids = Vec::new();
            for guard in files.remediations.iter() {
                ids.push(guard.key().map_err(|error| files.failure(error))?);
            }
            let is_new = ids.binary_search_by(|id| (**id).cmp(remediation.id.as_bytes())).is_err();
            let mut batch = files.batch(2, files.persist);
            batch.insert(&files.remediations, remediation.id.as_bytes(), json);
            let too_many = (ids.len() + usize::from(is_new)).saturating_sub(JOURNAL_ENTRIES);
            for id in ids.into_iter().take(too_many) {
                batch.remove(&files.remediations, id);
            }
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }

    async fn list(&self, limit: usize) -> Result<Vec<Remediation>, PortError> {
        let files = self.files.clone();
        blocking(&self.files.what, move || {
            let mut remediations = Vec::new();
            for guard in files.remediations.iter().rev().take(limit) {
                let (id, json) = guard.into_inner().map_err(|error| files.failure(error))?;
                remediations.push(serde_json::from_slice(&json).map_err(|error| {
                    damaged(&files.what, format!("remediation {}: {error}", String::from_utf8_lossy(&id)))
                })?);
            }
            Ok(remediations)
        })
        .await
    }
}
