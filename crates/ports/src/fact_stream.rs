//! Where facts go: a bounded stream, from which an archive is filled.
//!
//! What is lost of it, because it was away or too long ago, can be made again of the log: facts of members are a function
//! of it. Decisions that are lost are lost.

use crate::PortError;
use async_trait::async_trait;
use nearline_model::{FactEntry, MemberFacts};

/// An entry with its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedFacts {
    /// Its number: they grow, and none is given twice.
    pub sequence: u64,
    /// The entry.
    pub entry: FactEntry,
}

/// The stream of facts of all partitions.
#[async_trait]
pub trait FactStream: Send + Sync + 'static {
    /// Which stream it is: given at random when it was made. Numbers mean nothing in another one; empty: nothing was ever
    /// put.
    async fn identity(&self) -> Result<String, PortError>;

    /// Puts facts of members; of a part that is too large for one entry, several are made. Once it answers, they outlive the
    /// process. The same again may be there twice.
    async fn put(&self, facts: MemberFacts) -> Result<(), PortError>;

    /// Puts decisions.
    async fn put_decisions(&self, decisions: Vec<nearline_model::Fact>) -> Result<(), PortError>;

    /// Number of the last entry; 0: there is none.
    async fn last(&self) -> Result<u64, PortError>;

    /// Up to `most` entries that follow number `after`, in order: those that are left. None: there are no more now.
    async fn read(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError>;
}
