//! Titles that make room for others.

use crate::symbols::Symbol;

/// Whether each title is forgotten, by its number; those beyond the end are not.
pub(super) struct Gone(pub Vec<bool>);

impl Gone {
    /// Whether the title is one of them.
    pub fn has(&self, title: Symbol) -> bool {
        self.0.get(title.index()).copied().unwrap_or_default()
    }
}
