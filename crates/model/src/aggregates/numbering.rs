//! Numbers of titles and dimensions, carried from some sums to later ones of the same log that come from elsewhere.
//!
//! What is worked out of sums names titles by number. Where later sums give the same titles the same numbers, it serves
//! on until it is worked out anew; where a title of before is gone, numbers may come to mean something else, and
//! the later sums are others in their place.

use super::Aggregates;
use crate::symbols::Symbols;
use std::sync::Arc;

/// Which title and which dimension have which number.
#[derive(Debug, Clone)]
pub struct Numbering {
    titles: Symbols,
    dimensions: Symbols,
}

impl Aggregates {
    /// Numbers that titles and dimensions have here.
    pub fn numbering(&self) -> Numbering {
        Numbering { titles: self.titles.clone(), dimensions: self.dimensions.clone() }
    }

    /// Comes in the place of `before`, sums of the same log. Where a partition reflects less than it did, as after a store was
    /// set back, what was worked out of those is not of these, whatever the numbers: it counts on plays that only grow.
    pub fn succeed(&mut self, before: &Self) {
        let mut positions = self.positions().iter().zip(before.positions());
        if positions.any(|(now, then)| now < then) {
            self.titles.renew();
        }
    }
}

impl Numbering {
    /// Gives `sums`, which are empty, these numbers, if every title of them is among `titles`, in ascending order.
    pub(super) fn give(self, sums: &mut Aggregates, titles: &[(Arc<str>, u64)]) {
        let names = self.titles.since(1).iter().filter(|name| !name.is_empty());
        let is_known = |name: &Arc<str>| titles.binary_search_by(|(title, _)| title.cmp(name)).is_ok();
        if names.into_iter().all(is_known) {
            (sums.titles, sums.dimensions) = (self.titles, self.dimensions);
            sums.counters.resize_with(sums.dimensions.len(), Default::default);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::delta::{Cell, Counts, Delta};
    use crate::identifier::PartitionId;
    use crate::settings::AggregateSettings;
    use crate::symbols::NONE;
    use crate::{Aggregates, Position};
    use std::sync::Arc;

    fn plays_of(position: Position, title: &str) -> Delta {
        let counts = Counts { plays: 1, ..Counts::default() };
        Delta {
            partition: PartitionId(0),
            after: position.before(),
            position,
            strings: ["", title, "BR"].map(Arc::from).to_vec(),
            cells: vec![Cell { title: 1, epoch: 5, country: 2, device: 0, counts }],
            ..Delta::default()
        }
    }

    fn sums(settings: &AggregateSettings, titles: &[&str]) -> Aggregates {
        let mut sums = Aggregates::new(1, settings.clone());
        for (position, title) in (1..).map(Position).zip(titles) {
            sums.add(&plays_of(position, title));
        }
        sums
    }

    fn is_of(one: &Aggregates, other: &Aggregates) -> bool {
        Arc::ptr_eq(one.title_id(NONE), other.title_id(NONE))
    }

    #[test]
    fn later_sums_keep_the_numbers_of_those_before() {
        let settings = AggregateSettings::default();
        let before = sums(&settings, &["zodiac", "alien"]);
        let later = sums(&settings, &["zodiac", "alien", "heat", "alien"]);
        let mut read =
            Aggregates::decode_as(&later.encode(), 1, &settings, before.numbering()).expect("read");
        read.succeed(&before);
        assert!(is_of(&read, &before));
        assert_eq!(
            ["zodiac", "alien"].map(|id| read.title(id)),
            ["zodiac", "alien"].map(|id| before.title(id))
        );
        assert_eq!(read.encode(), later.encode());
        assert_eq!(read.counters("country:BR").map(|table| table.titles().count()), Some(3));
    }

    #[test]
    fn earlier_sums_are_others_in_their_place_whatever_the_numbers() {
        let settings = AggregateSettings::default();
        let before = sums(&settings, &["zodiac", "alien", "alien"]);
        let earlier = sums(&settings, &["zodiac", "alien"]);
        let mut read =
            Aggregates::decode_as(&earlier.encode(), 1, &settings, before.numbering()).expect("read");
        assert!(is_of(&read, &before));
        read.succeed(&before);
        assert!(!is_of(&read, &before));
        assert_eq!(read.encode(), earlier.encode());
    }

    #[test]
    fn sums_without_a_title_of_before_are_others_in_their_place() {
        let settings = AggregateSettings { titles: 2, ..AggregateSettings::default() };
        let before = sums(&settings, &["zodiac", "alien"]);
        let later = sums(&settings, &["alien", "heat"]);
        let read = Aggregates::decode_as(&later.encode(), 1, &settings, before.numbering()).expect("read");
        assert!(!is_of(&read, &before));
        assert_eq!(read.encode(), later.encode());
    }
}
