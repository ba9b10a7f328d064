//! Room for what is new, in tables that are bounded: what is rare makes room for it.
//!
//! A stranger who sends a thousand titles, devices or rows that nobody knows must not end the counting for
//! everybody. So each table, when it is full, gives the place of what was counted least to what is new, as
//! Space-Saving does (Metwally, Agrawal, El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data
//! Streams", ICDT 2005), but without its count: what is known keeps counting as long as it is counted more than
//! strangers are. Countries, devices and rows have room of their own each.
//!
//! Below the limits nothing makes room, and sums are the same in any order; beyond them they depend on it.

use super::Aggregates;
use super::gone::Gone;
use super::learning::Kind;
use crate::delta::Delta;
use crate::symbols::{NONE, Symbol};
use hashbrown::{HashMap, HashSet};
use std::sync::Arc;

/// Part of all titles that makes room when there is none.
const TITLES_SHARE: usize = 8;

/// Dimensions of a delta that were looked for: `None` where there is no room.
pub(super) type Found = HashMap<(Kind, u32), Option<Symbol>>;

impl Aggregates {
    /// How many of a kind of dimensions are counted at most.
    pub(super) fn room(&self, kind: Kind) -> usize {
        match kind {
            Kind::Country => self.settings.dimensions / 4,
            Kind::Device => self.settings.dimensions / 2,
            Kind::Row => self.settings.rows,
            Kind::Position => usize::MAX,
        }
    }

    /// Makes room for the titles of `delta` that are new, those counted most first; gives those that there is none for.
    pub(super) fn make_room_for_titles(&mut self, delta: &Delta) -> HashSet<u32> {
        if self.titles.live() + delta.strings.len() <= self.settings.titles {
            return HashSet::new();
        }
        let mut named: HashMap<u32, u64> = HashMap::new();
        let runs = delta.transition_runs().flat_map(|(to, from)| from.iter().copied().chain([to]));
        let places = delta.places.iter().map(|cell| cell.title);
        let arms = delta.arms.iter().map(|cell| cell.title);
        let contests = delta.contests.iter().flat_map(|contest| {
            contest.candidates.iter().map(|candidate| candidate.title).chain(contest.sources.iter().copied())
        });
        for local in runs.chain(places).chain(arms).chain(contests) {
            named.entry(local).or_default();
        }
        for cell in &delta.cells {
            *named.entry(cell.title).or_default() += cell.counts.events();
        }
        let named: Vec<(u64, &Arc<str>, u32)> = named
            .into_iter()
            .filter_map(|(local, events)| Some((events, delta.strings.get(local as usize)?, local)))
            .collect();
        // What is named as the source of a transition alone is neither kept for it nor brought in.
        let counted = || named.iter().filter(|(events, ..)| *events > 0);
        let kept: HashSet<Symbol> = counted().filter_map(|(_, text, _)| self.titles.get(text)).collect();
        let strangers = counted().filter(|(_, text, _)| self.titles.get(text).is_none()).count();
        let mut free = self.settings.titles.saturating_sub(self.titles.live());
        if strangers > free {
            // However many strangers come at once, the better half of what is known stays.
            let wanted = (strangers - free).max(self.settings.titles / TITLES_SHARE);
            free += self.forget_least_titles(wanted.min(self.titles.live() / 2), &kept);
        }
        let mut unknown = named;
        unknown.retain(|(_, text, _)| self.titles.get(text).is_none());
        unknown.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        let refused: HashSet<u32> = unknown.iter().skip(free).map(|(_, _, local)| *local).collect();
        metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "titles")
            .increment(refused.len() as u64);
        refused
    }

    /// Forgets the `count` titles that are played and shown least, but none of `kept`; gives how many.
    fn forget_least_titles(&mut self, count: usize, kept: &HashSet<Symbol>) -> usize {
        let all = self.counters(super::ALL);
        let strength = |title: Symbol| {
            let popularity = all.and_then(|table| table.popularity().scores().get(title.index())).copied();
            let counters = all.and_then(|table| table.title(title));
            let shown = counters.into_iter().flat_map(|counters| &counters.epochs);
            let shown: u64 = shown.map(|(_, counts)| u64::from(counts.impressions)).sum();
            (popularity.unwrap_or_default(), shown)
        };
        let numbers = self
            .titles
            .after(NONE)
            .filter(|title| !kept.contains(title) && !self.titles.text(*title).is_empty());
        let mut titles: Vec<(f64, u64, Symbol)> = numbers
            .map(|title| {
                let (popularity, shown) = strength(title);
                (popularity, shown, title)
            })
            .collect();
        let count = count.min(titles.len());
        if count == 0 {
            return 0;
        }
        titles.select_nth_unstable_by(count - 1, |a, b| {
            let by_id = || self.titles.text(a.2).cmp(self.titles.text(b.2));
            a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then_with(by_id)
        });
        metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => "titles")
            .increment(count as u64);
        let mut gone = vec![false; self.titles.len()];
        for (_, _, title) in &titles[..count] {
            gone[title.index()] = true;
        }
        let gone = Gone(gone);
        for table in &mut self.counters {
            table.forget(&gone);
        }
        self.transitions.forget(&gone);
        self.places.forget(&gone);
        self.arms.forget(&gone);
        self.probes.forget(&gone);
        self.contests.forget(&gone);
        for (_, _, title) in &titles[..count] {
            if let Some(plays) = self.plays.get_mut(title.index()) {
                *plays = 0;
            }
            if let Some(impressions) = self.impressions.get_mut(title.index()) {
                *impressions = 0;
            }
            self.titles.release(*title);
        }
        // What was worked out by number is of titles that were.
        self.titles.renew();
        count
    }

    /// Makes room for the countries, devices and rows of `delta` that are new, those counted most first, and
    /// says which of them there is none for.
    pub(super) fn make_room_for_dimensions(&mut self, delta: &Delta) -> Found {
        let mut found = Found::new();
        let countries = delta.cells.iter().map(|cell| (cell.country, cell.counts.events()));
        self.make_room_for(Kind::Country, delta, countries, &mut found);
        let devices = delta.cells.iter().map(|cell| (cell.device, cell.counts.events()));
        self.make_room_for(Kind::Device, delta, devices, &mut found);
        let rows = delta.places.iter().map(|cell| (cell.row, u64::from(cell.counts.impressions)));
        self.make_room_for(Kind::Row, delta, rows, &mut found);
        found
    }

    fn make_room_for(
        &mut self,
        kind: Kind,
        delta: &Delta,
        counted: impl Iterator<Item = (u32, u64)> + Clone,
        found: &mut Found,
    ) {
        let mut unknown = Vec::new();
        let mut is_met = vec![false; delta.strings.len()];
        // 0 is what is not told: nothing to look for.
        let mut last = 0;
        for (local, _) in counted.clone() {
            if std::mem::replace(&mut last, local) == local || local == 0 {
                continue;
            }
            let Some(is_met) = is_met.get_mut(local as usize) else { continue };
            if !std::mem::replace(is_met, true) {
                let name = kind.dimension(&delta.strings[local as usize]);
                if self.dimensions.get(&name).is_none() {
                    unknown.push((local, name));
                }
            }
        }
        if unknown.is_empty() {
            return;
        }
        let mut sums = vec![0_u64; delta.strings.len()];
        for (local, events) in counted {
            if let Some(sum) = sums.get_mut(local as usize) {
                *sum += events;
            }
        }
        let prefix = kind.dimension("");
        let numbered = self.dimensions.after(NONE).zip(self.dimensions.since(1));
        let of_kind = numbered.filter(|(_, name)| name.starts_with(&*prefix));
        let mut live: Vec<(u64, Symbol)> =
            of_kind.map(|(number, _)| (self.counters[number.index()].events(), number)).collect();
        // The least at the end.
        live.sort_unstable_by(|a, b| {
            b.0.cmp(&a.0).then_with(|| self.dimensions.text(a.1).cmp(self.dimensions.text(b.1)))
        });
        let met: HashSet<String> = (0..)
            .zip(&is_met)
            .filter(|(_, met)| **met)
            .map(|(at, _): (usize, _)| kind.dimension(&delta.strings[at]))
            .collect();
        unknown
            .sort_unstable_by(|a, b| sums[b.0 as usize].cmp(&sums[a.0 as usize]).then_with(|| a.1.cmp(&b.1)));
        let taken = live.len();
        live.retain(|(_, number)| !met.contains(&**self.dimensions.text(*number)));
        let wanted: Vec<u64> = unknown.iter().map(|(local, _)| sums[*local as usize]).collect();
        let (least, with_room) = give_way(live, taken, &wanted, self.room(kind));
        let hits = least.len() + unknown.len() - with_room;
        metrics::counter!("nearline_aggregates_limit_hits_total", "limit" => kind.limit())
            .increment(hits as u64);
        self.forget_dimensions(kind, &least);
        for (at, (local, name)) in unknown.into_iter().enumerate() {
            let number = if at < with_room { self.dimensions_of(&[&name])[0] } else { None };
            found.insert((kind, local), number);
        }
    }

    /// Forgets dimensions of one kind; their numbers are given out again.
    fn forget_dimensions(&mut self, kind: Kind, dimensions: &[Symbol]) {
        if kind == Kind::Row && !dimensions.is_empty() {
            let row = |dimension: &Symbol| {
                let row = self.dimensions.text(*dimension).strip_prefix(&*kind.dimension(""))?;
                self.places.rows.get(row)
            };
            let rows: Vec<Symbol> = dimensions.iter().filter_map(row).collect();
            self.places.forget_rows(&rows);
        }
        for dimension in dimensions {
            self.dimensions.release(*dimension);
            self.counters[dimension.index()] = super::CounterTable::default();
        }
    }
}

/// Which of the dimensions that `may` give way, the least at the end with its events, make room for new ones that are counted so
/// often, the most first; and for how many of these, the first ones, there is room then. `taken` have a place now.
fn give_way(
    mut may: Vec<(u64, Symbol)>,
    mut taken: usize,
    wanted: &[u64],
    room: usize,
) -> (Vec<Symbol>, usize) {
    let mut least = Vec::new();
    for (at, events) in wanted.iter().enumerate() {
        while taken >= room
            && let Some((_, dimension)) = may.pop_if(|(known, _)| *known <= *events)
        {
            least.push(dimension);
            taken -= 1;
        }
        if taken >= room {
            return (least, at);
        }
        taken += 1;
    }
    (least, wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_least_gives_way_to_what_is_counted_as_often() {
        let known = |events: &[u64]| events.iter().copied().zip((1..).map(Symbol)).collect::<Vec<_>>();
        assert_eq!(give_way(known(&[9, 5, 3]), 3, &[4, 4, 2], 3), (vec![Symbol(3)], 1));
        assert_eq!(give_way(known(&[9, 5, 3]), 3, &[7, 6, 5], 4), (vec![Symbol(3), Symbol(2)], 3));
        assert_eq!(give_way(known(&[9]), 1, &[1, 1], 3), (vec![], 2));
        assert_eq!(give_way(vec![], 0, &[1], 0), (vec![], 0));
    }
}
