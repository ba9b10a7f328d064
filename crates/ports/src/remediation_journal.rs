//! Remediations, kept for operators.

use crate::PortError;
use async_trait::async_trait;
use nearline_model::control::remediation::Remediation;

/// Remediations that are kept: the newest of all nodes.
pub const JOURNAL_ENTRIES: usize = 1_000;

/// The journal of remediations. Bounded: of more than [`JOURNAL_ENTRIES`] the oldest are dropped, soon
/// if not at once.
#[async_trait]
pub trait RemediationJournal: Send + Sync + 'static {
    /// Keeps a remediation durably; one with the same id is replaced.
    async fn put(&self, remediation: &Remediation) -> Result<(), PortError>;

    /// The newest `limit` remediations, newest first.
    async fn list(&self, limit: usize) -> Result<Vec<Remediation>, PortError>;
}
