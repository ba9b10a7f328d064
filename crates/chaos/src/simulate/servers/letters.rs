//! The server of dead letters.

use nearline_model::Position;
use nearline_ports::{DeadLetter, Redrive};
use std::collections::BTreeMap;

/// What the server holds.
#[derive(Debug, Default)]
pub struct LetterServer {
    /// Letters by position.
    pub letters: BTreeMap<Position, DeadLetter>,
    /// Those that were published again.
    pub redrives: BTreeMap<Position, Redrive>,
}
