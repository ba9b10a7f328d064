//! What chooses artworks, in parts by title: who waits for the probabilities of one holds up few others.

use nearline_model::identifier::fingerprint;
use nearline_ranking::artwork::{ArtworkSettings, Chooser};
use parking_lot::Mutex;

/// Parts. Each remembers its share of the choices.
const PARTS: usize = 16;

/// Choosers, each of its own titles.
pub(super) struct Artworks([Mutex<Chooser>; PARTS]);

impl Artworks {
    pub(super) fn new(settings: &ArtworkSettings) -> Self {
        let share = ArtworkSettings { remembered: settings.remembered.div_ceil(PARTS), ..settings.clone() };
        Self(std::array::from_fn(|_| Mutex::new(Chooser::new(share.clone()))))
    }

    /// What chooses for `title`.
    pub(super) fn of(&self, title: &str) -> &Mutex<Chooser> {
        &self.0[(fingerprint(title) % PARTS as u64) as usize]
    }
}
