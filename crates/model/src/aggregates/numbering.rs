//! Numbers of titles, dimensions and rows, carried from some sums to later ones of the same log that come from elsewhere.
//!
//! What is worked out of sums names titles by number. Where later sums give the same titles the same numbers, it serves
//! on until it is worked out anew; where a title of before is gone, numbers may come to mean something else, and
//! the later sums are others in their place.

use super::Aggregates;
use crate::symbols::{NONE, Symbols};
use std::sync::Arc;

/// Which title, which dimension and which row have which number.
#[derive(Debug, Clone)]
pub struct Numbering {
    titles: Symbols,
    dimensions: Symbols,
    rows: Symbols,
}

impl Aggregates {
    /// Numbers that titles, dimensions and rows have here.
    pub fn numbering(&self) -> Numbering {
        let (titles, dimensions) = (self.titles.clone(), self.dimensions.clone());
        Numbering { titles, dimensions, rows: self.places.rows.clone() }
    }

    /// Comes in the place of `before`, sums of the same log. What was worked out of those is of these, too, if every title and
    /// every row has its number here, and no title fewer plays: it counts on plays that only grow. That is looked at for
    /// all of them, as `before` may have changed since its numbers were taken.
    pub fn succeed(&mut self, before: &Self) {
        let plays = before.plays.iter().enumerate();
        let mut plays = plays.map(|(title, then)| (then, self.plays.get(title).copied().unwrap_or_default()));
        let is_of_before = self.titles.has_all_of(&before.titles)
            && self.places.rows.has_all_of(&before.places.rows)
            && plays.all(|(then, now)| now >= *then);
        if !is_of_before {
            self.titles.renew();
        }
    }
}

impl Numbering {
    /// Gives `sums`, which are empty, these numbers, if every title of them, of which there are some, is among `titles`; rows that
    /// are not among `rows` have none any more. Both are in ascending order.
    pub(super) fn give(self, sums: &mut Aggregates, titles: &[(Arc<str>, u64)], rows: &[Arc<str>]) {
        let mut names = self.titles.since(1).iter().filter(|name| !name.is_empty()).peekable();
        let is_known = |name: &Arc<str>| titles.binary_search_by(|(title, _)| title.cmp(name)).is_ok();
        if names.peek().is_none() || !names.all(is_known) {
            return;
        }
        (sums.titles, sums.dimensions, sums.places.rows) = (self.titles, self.dimensions, self.rows);
        sums.counters.resize_with(sums.dimensions.len(), Default::default);
        for row in sums.places.rows.after(NONE) {
            let name = sums.places.rows.text(row);
            if !name.is_empty() && rows.binary_search(name).is_err() {
                sums.places.rows.release(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::delta::{Cell, Counts, Delta, PlaceCell, TakeCounts};
    use crate::identifier::PartitionId;
    use crate::settings::AggregateSettings;
    use crate::symbols::NONE;
    use crate::{Aggregates, Position};
    use std::sync::Arc;

    /// A play of a title, shown in the row of that name and `-row`.
    fn play_of(position: Position, title: &str) -> Delta {
        let (counts, shown) = (Counts { plays: 1, ..Counts::default() }, TakeCounts::default());
        let shown = TakeCounts { impressions: 1, ..shown };
        Delta {
            partition: PartitionId(0),
            after: position.before(),
            position,
            strings: ["", title, "BR", &format!("{title}-row")].map(Arc::from).to_vec(),
            cells: vec![Cell { title: 1, epoch: 5, country: 2, device: 0, counts }],
            places: vec![PlaceCell { title: 1, epoch: 5, row: 3, band: None, counts: shown }],
            ..Delta::default()
        }
    }

    fn sums(settings: &AggregateSettings, titles: &[&str]) -> Aggregates {
        let mut sums = Aggregates::new(1, settings.clone());
        for (position, title) in (1..).map(Position).zip(titles) {
            sums.add(&play_of(position, title));
        }
        sums
    }

    /// Whether what was worked out of `before`, which are as `changed` by the time, serves for `later`, read with its numbers.
    fn serves(before: &Aggregates, changed: &Aggregates, later: &Aggregates) -> (bool, Aggregates) {
        let (settings, numbering) = (later.settings(), before.numbering());
        let mut read = Aggregates::decode_as(&later.encode(), 1, settings, numbering).expect("read");
        read.succeed(changed);
        assert_eq!(read.encode(), later.encode(), "whatever the numbers");
        (Arc::ptr_eq(read.title_id(NONE), before.title_id(NONE)), read)
    }

    #[test]
    fn later_sums_keep_the_numbers_of_those_before() {
        let settings = AggregateSettings::default();
        let before = sums(&settings, &["zodiac", "alien"]);
        let later = sums(&settings, &["zodiac", "alien", "heat", "alien"]);
        let (serves, read) = serves(&before, &before, &later);
        assert!(serves);
        for id in ["zodiac", "alien"] {
            let number = before.title(id).expect("counted");
            assert_eq!(read.title(id), Some(number));
            let rows = [&before, &read].map(|sums| sums.places().title(number)[0].row);
            assert_eq!(rows, [rows[0]; 2]);
            assert_eq!(read.places().row_name(rows[0]), format!("{id}-row"));
        }
        assert_eq!(read.counters("country:BR").map(|table| table.titles().count()), Some(3));
    }

    #[test]
    fn sums_without_a_title_of_before_are_others_in_their_place() {
        let settings = AggregateSettings { titles: 2, ..AggregateSettings::default() };
        let before = sums(&settings, &["zodiac", "alien"]);
        let later = sums(&settings, &["alien", "heat"]);
        assert!(!serves(&before, &before, &later).0);
    }

    #[test]
    fn sums_in_which_a_title_was_played_less_are_others_in_their_place() {
        let settings = AggregateSettings::default();
        let before = sums(&settings, &["zodiac", "alien", "alien"]);
        let earlier = sums(&settings, &["zodiac", "alien"]);
        assert!(!serves(&before, &before, &earlier).0);
    }

    #[test]
    fn sums_that_number_otherwise_what_was_added_meanwhile_are_others_in_their_place() {
        let settings = AggregateSettings::default();
        let before = sums(&settings, &["zodiac"]);
        let mut changed = sums(&settings, &["zodiac"]);
        for (position, title) in (2..).map(Position).zip(["heat", "alien"]) {
            changed.add(&play_of(position, title));
        }
        let later = sums(&settings, &["zodiac", "heat", "alien"]);
        // In ascending order, which is not that in which they were added.
        assert!(!serves(&before, &changed, &later).0);
    }

    #[test]
    fn nothing_was_worked_out_of_sums_without_titles() {
        let settings = AggregateSettings::default();
        let (before, later) = (sums(&settings, &[]), sums(&settings, &["zodiac"]));
        assert!(!serves(&before, &before, &later).0);
    }

    #[test]
    fn rows_that_are_no_more_have_no_number() {
        let settings = AggregateSettings { rows: 1, ..AggregateSettings::default() };
        let before = sums(&settings, &["zodiac"]);
        let later = sums(&settings, &["zodiac", "alien", "alien"]);
        let (serves, read) = serves(&before, &before, &later);
        let row = read.places().title(read.title("alien").expect("counted"))[0].row;
        assert_eq!(read.places().row_name(row), "alien-row");
        assert!(!serves, "its number is another row's");
    }
}
