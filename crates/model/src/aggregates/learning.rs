//! Adding the contents of one delta to the sums, section by section.
//!
//! Cells come in order, so those of one title and epoch, and within them those of one country or row,
//! stand together: they are summed up first, and each table is looked into once for all of them.

use super::contests::KeptContest;
use super::counters::Addition;
use super::probes::{KeptProbe, MOST_SOURCES, paired};
use super::transitions::BEGINNING;
use super::{ALL, Aggregates, OPENING};
use crate::delta::{Candidate, Counts, Delta, Opening, PlaceCell, Probe, TakeCounts};
use crate::symbols::Symbol;
use hashbrown::HashMap;

impl Aggregates {
    pub(super) fn add_contents(&mut self, delta: &Delta) {
        let newest = delta.cells.iter().map(|cell| cell.epoch).max().unwrap_or(0);
        if self.decays.advance(newest) {
            for table in &mut self.counters {
                table.rescale(&self.decays);
            }
            self.variants.sweep(&self.decays);
        }
        self.places.advance(self.decays.newest_epoch);
        self.arms.advance(newest);
        let refused = self.make_room_for_titles(delta);
        let mut titles = Titles::of(delta);
        for local in refused {
            titles.numbers[local as usize] = Known::NoRoom;
        }
        let mut dimensions = Dimensions { delta, numbers: self.make_room_for_dimensions(delta) };
        let mut additions = Additions::default();
        self.add_cells(delta, &mut titles, &mut dimensions, &mut additions);
        self.probes.erase(delta);
        let mut probes = delta.probes.iter().peekable();
        for (run, (to, sources)) in (0_u32..).zip(delta.transition_runs()) {
            // Interned in the order of the run, whether there is room for all or not.
            let to = titles.number(self, to);
            let sources: Vec<Option<Symbol>> =
                sources.iter().map(|from| titles.number(self, *from)).collect();
            let probe = probes.next_if(|probe| probe.run == run);
            if let Some(to) = to {
                if let Some(probe) = probe {
                    self.probes.push(delta.partition, kept(probe, to, &sources));
                }
                let paired = paired(&sources, Some(BEGINNING));
                self.beginnings += u64::from(paired.first() == Some(&Some(BEGINNING)));
                self.transitions.add(to, paired.iter().copied());
            }
        }
        self.transitions.bound(&self.titles);
        self.add_places(delta, &mut titles, &mut dimensions, &mut additions);
        for (table, additions) in self.counters.iter_mut().zip(&additions.by_dimension) {
            table.add(additions, &self.decays);
        }
        self.add_openings(delta, &mut titles);
        delta.returns.iter().for_each(|cell| self.returns.add(cell));
        self.add_contests(delta, &mut titles);
        for cell in &delta.arms {
            if let Some(title) = titles.number(self, cell.title) {
                self.arms.add(title, cell, delta);
            }
        }
        for cell in &delta.variants {
            if let Some(name) = delta.strings.get(cell.variant as usize) {
                self.variants.add(name, cell.epoch, cell.counts, &self.decays);
            }
        }
    }

    fn add_cells(
        &mut self,
        delta: &Delta,
        titles: &mut Titles<'_>,
        dimensions: &mut Dimensions<'_>,
        additions: &mut Additions,
    ) {
        let [all, ..] = self.dimensions_of(&[ALL]);
        let mut devices = Sums::default();
        for of_epoch in delta.cells.chunk_by(|a, b| (a.title, a.epoch) == (b.title, b.epoch)) {
            let Some(first) = of_epoch.first() else { continue };
            let Some(title) = titles.number(self, first.title) else { continue };
            let mut together = Counts::default();
            for of_country in of_epoch.chunk_by(|a, b| a.country == b.country) {
                let mut in_country = Counts::default();
                for cell in of_country {
                    in_country += cell.counts;
                    let device = dimensions.number(self, Kind::Device, cell.device);
                    devices.add(device, cell.counts);
                }
                together += in_country;
                let country = of_country.first().map_or(0, |cell| cell.country);
                let country = dimensions.number(self, Kind::Country, country);
                additions.note(country, title, first.epoch, in_country);
            }
            additions.note(all, title, first.epoch, together);
            for (device, counts) in devices.drain() {
                additions.note(Some(device), title, first.epoch, counts);
            }
            if self.plays.len() <= title.index() {
                self.plays.resize(title.index() + 1, 0);
            }
            self.plays[title.index()] += u64::from(together.plays);
            self.add_impressions(title, together.impressions);
        }
    }

    pub(super) fn add_impressions(&mut self, title: Symbol, impressions: u32) {
        let at = title.index();
        if impressions > 0 && self.impressions.len() <= at {
            self.impressions.resize(at + 1, 0);
        }
        if let Some(sum) = self.impressions.get_mut(at) {
            *sum = sum.saturating_add(impressions);
        }
    }

    fn add_contests(&mut self, delta: &Delta, titles: &mut Titles<'_>) {
        self.contests.erase(delta);
        for contest in &delta.contests {
            let Some((played, others)) = contest.candidates.split_first() else { continue };
            let mut numbered = |candidate: &Candidate<u32>| {
                let title = titles.number(self, candidate.title)?;
                Some(candidate.numbered(title))
            };
            let Some(played) = numbered(played) else { continue };
            let others: Vec<Candidate> = others.iter().filter_map(numbered).collect();
            let candidates = std::iter::once(played).chain(others).collect();
            let number = |source: &u32| titles.number(self, *source);
            let sources = contest.sources.iter().filter_map(number).collect();
            let (at_s, position, member) = (contest.at_s, contest.position, contest.member);
            let kept = KeptContest { candidates, sources, at_s, position, member };
            self.contests.push(delta.partition, kept);
        }
    }

    fn add_openings(&mut self, delta: &Delta, titles: &mut Titles<'_>) {
        if delta.openings.is_empty() {
            return;
        }
        let [dimension] = self.dimensions_of(&[OPENING]);
        for Opening { title, epoch, plays } in &delta.openings {
            let title = titles.number(self, *title);
            if let (Some(title), Some(dimension)) = (title, dimension) {
                let table = &mut self.counters[dimension.index()];
                table.fade(title, *epoch, u64::from(*plays), &self.decays);
            }
        }
    }

    fn add_places(
        &mut self,
        delta: &Delta,
        titles: &mut Titles<'_>,
        dimensions: &mut Dimensions<'_>,
        additions: &mut Additions,
    ) {
        let mut rows: HashMap<u32, Option<Symbol>> = HashMap::new();
        let mut bands = Sums::default();
        for of_epoch in delta.places.chunk_by(|a, b| (a.title, a.epoch) == (b.title, b.epoch)) {
            let Some(first) = of_epoch.first() else { continue };
            let Some(title) = titles.number(self, first.title) else { continue };
            for of_row in of_epoch.chunk_by(|a, b| a.row == b.row) {
                let local = of_row.first().map_or(0, |cell| cell.row);
                let has_room = local == 0 || dimensions.number(self, Kind::Row, local).is_some();
                let row = *rows.entry(local).or_insert_with(|| {
                    let name = delta.strings.get(local as usize).filter(|_| has_room);
                    name.and_then(|name| self.places.row(name))
                });
                let mut in_row = Counts::default();
                for cell in of_row {
                    in_row += counts_of(cell);
                    if let Some(band) = cell.band {
                        let band = dimensions.number(self, Kind::Position, u32::from(band.first()));
                        bands.add(band, counts_of(cell));
                    }
                    if let Some(row) = row {
                        self.places.add(title, row, cell);
                    }
                }
                if row.is_some() {
                    let dimension = dimensions.number(self, Kind::Row, local);
                    additions.note(dimension, title, first.epoch, in_row);
                }
            }
            for (band, counts) in bands.drain() {
                additions.note(Some(band), title, first.epoch, counts);
            }
        }
    }
}

/// A probe of a play of `title` after `sources`, as far back as all have a number.
fn kept(probe: &Probe, title: Symbol, sources: &[Option<Symbol>]) -> KeptProbe {
    let Probe { member, position, epoch, again, .. } = *probe;
    let sources = sources.iter().take(MOST_SOURCES).map_while(|source| *source).collect();
    KeptProbe { title, sources, again, epoch, position, member }
}

fn counts_of(cell: &PlaceCell) -> Counts {
    let TakeCounts { impressions, attributed, quality } = cell.counts;
    Counts { impressions, attributed, quality, plays: 0 }
}

/// Numbers of a delta's titles, given out as they are met.
struct Titles<'a> {
    delta: &'a Delta,
    numbers: Vec<Known>,
}

#[derive(Clone, Copy)]
enum Known {
    NotYet,
    Number(Symbol),
    NoRoom,
}

impl<'a> Titles<'a> {
    fn of(delta: &'a Delta) -> Self {
        Self { delta, numbers: vec![Known::NotYet; delta.strings.len()] }
    }

    /// The number of the title that is string `local`; `None` where there is no room for another.
    fn number(&mut self, aggregates: &mut Aggregates, local: u32) -> Option<Symbol> {
        let known = self.numbers.get_mut(local as usize)?;
        if let Known::NotYet = known {
            *known = match aggregates.titles.intern(&self.delta.strings[local as usize]) {
                Ok(number) => Known::Number(number),
                Err(_) => Known::NoRoom,
            };
        }
        match known {
            Known::Number(number) => Some(*number),
            Known::NotYet | Known::NoRoom => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Country,
    Device,
    Row,
    Position,
}

impl Kind {
    /// The name of the dimension of this kind that counts `value`.
    pub(super) fn dimension(self, value: &str) -> String {
        let kind = match self {
            Self::Country => "country",
            Self::Device => "device",
            Self::Row => "row",
            Self::Position => "position",
        };
        format!("{kind}:{value}")
    }

    /// The limit that holds for it, as metrics call it.
    pub(super) fn limit(self) -> &'static str {
        match self {
            Self::Country => "countries",
            Self::Device => "devices",
            Self::Row => "rows",
            Self::Position => "positions",
        }
    }
}

/// Dimensions of a delta's strings (of its positions: the first of the band).
struct Dimensions<'a> {
    delta: &'a Delta,
    numbers: HashMap<(Kind, u32), Option<Symbol>>,
}

impl Dimensions<'_> {
    fn number(&mut self, aggregates: &mut Aggregates, kind: Kind, local: u32) -> Option<Symbol> {
        if local == 0 && kind != Kind::Position {
            return None;
        }
        if let Some(known) = self.numbers.get(&(kind, local)) {
            return *known;
        }
        let name = match kind {
            Kind::Position => kind.dimension(&crate::delta::PositionBand::of(local).label()),
            _ => kind.dimension(self.delta.strings.get(local as usize).map_or("", |text| text)),
        };
        let [dimension] = aggregates.dimensions_of(&[&name]);
        self.numbers.insert((kind, local), dimension);
        dimension
    }
}

/// What a delta adds to the counters, dimension by dimension: one dimension's table fits into the processor's cache, all of
/// them do not.
#[derive(Default)]
struct Additions {
    by_dimension: Vec<Vec<Addition>>,
}

impl Additions {
    fn note(&mut self, dimension: Option<Symbol>, title: Symbol, epoch: u32, counts: Counts) {
        let Some(dimension) = dimension else { return };
        if self.by_dimension.len() <= dimension.index() {
            self.by_dimension.resize_with(dimension.index() + 1, Vec::new);
        }
        self.by_dimension[dimension.index()].push(Addition { title, epoch, counts });
    }
}

/// A few sums by dimension.
#[derive(Default)]
struct Sums {
    sums: Vec<(Symbol, Counts)>,
    /// By dimension: how many sums there were when it had its own; 0: it has none.
    places: Vec<u32>,
}

impl Sums {
    fn add(&mut self, dimension: Option<Symbol>, counts: Counts) {
        let Some(dimension) = dimension else { return };
        if self.places.len() <= dimension.index() {
            self.places.resize(dimension.index() + 1, 0);
        }
        let place = &mut self.places[dimension.index()];
        match place.checked_sub(1) {
            Some(at) => self.sums[at as usize].1 += counts,
            None => {
                self.sums.push((dimension, counts));
                *place = self.sums.len() as u32;
            }
        }
    }

    fn drain(&mut self) -> impl Iterator<Item = (Symbol, Counts)> {
        for (dimension, _) in &self.sums {
            self.places[dimension.index()] = 0;
        }
        self.sums.drain(..)
    }
}
