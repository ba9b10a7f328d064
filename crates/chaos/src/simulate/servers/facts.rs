//! The server of facts.

use nearline_model::FactEntry;

/// What the server holds.
#[derive(Debug, Default)]
pub struct FactServer {
    /// Entries; the first has number 1.
    pub entries: Vec<FactEntry>,
}
