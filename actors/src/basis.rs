//! What answers rest on beside the member's own state: the sums, what is worked out of them a while later, and
//! the catalogue. Whoever shows an answer for longer compares: each of the three changes at its own time, and
//! an answer may be another one after each.

use nearline_model::symbols::NONE;
use nearline_model::{Aggregates, Position};
use nearline_ranking::Learned;
use std::sync::{Arc, Weak};

/// What answers rest on at one moment. Two are equal only if every member is answered alike from both, as long
/// as its own state stays the same.
#[derive(Debug, Clone)]
pub struct Basis {
    /// Position of each partition that the sums reflect.
    positions: Vec<Position>,
    /// Shared by all numbers of the same sums: others in their place may have the same positions.
    sums: Arc<str>,
    /// Weak, so that old weights are freed; their place is not taken by new ones while it is held.
    learned: Weak<Learned>,
    /// Changes of the catalogue so far.
    catalogue: u64,
}

impl Basis {
    /// Of these sums, what was worked out of them last, and a catalogue after so many changes.
    pub fn of(aggregates: &Aggregates, learned: &Arc<Learned>, catalogue: u64) -> Self {
        Self {
            positions: aggregates.positions().to_vec(),
            sums: aggregates.title_id(NONE).clone(),
            learned: Arc::downgrade(learned),
            catalogue,
        }
    }
}

impl PartialEq for Basis {
    fn eq(&self, other: &Self) -> bool {
        self.positions == other.positions
            && Arc::ptr_eq(&self.sums, &other.sums)
            && Weak::ptr_eq(&self.learned, &other.learned)
            && self.catalogue == other.catalogue
    }
}

#[cfg(test)]
mod tests {
    use super::Basis;
    use nearline_model::catalogue::Catalogue;
    use nearline_model::settings::AggregateSettings;
    use nearline_model::{Aggregates, Delta, PartitionId, Position};
    use nearline_ranking::Learned;
    use std::sync::Arc;

    #[test]
    fn whatever_answers_rest_on_makes_another_basis_and_nothing_else_does() {
        let sums = || Aggregates::new(2, AggregateSettings::default());
        let solved = |sums: &Aggregates| Arc::new(Learned::of(sums, &Catalogue::default(), 10));
        let mut aggregates = sums();
        let learned = solved(&aggregates);
        let before = Basis::of(&aggregates, &learned, 3);
        assert_eq!(before, Basis::of(&aggregates, &learned.clone(), 3));

        let again = solved(&aggregates);
        assert_ne!(before, Basis::of(&aggregates, &again, 3), "the same sums solved again");
        assert_ne!(before, Basis::of(&aggregates, &learned, 4), "a change of the catalogue");
        assert_ne!(before, Basis::of(&sums(), &learned, 3), "other sums in the place of these");
        drop(learned);
        let later = solved(&aggregates);
        assert_ne!(before, Basis::of(&aggregates, &later, 3), "weights that came after others were freed");

        let before = Basis::of(&aggregates, &later, 3);
        let delta = Delta {
            partition: PartitionId(1),
            after: Position::START,
            position: Position(7),
            ..Delta::default()
        };
        aggregates.add(&delta);
        assert_ne!(before, Basis::of(&aggregates, &later, 3), "a delta");
    }
}
