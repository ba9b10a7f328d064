//! The examination: probes, and the sums without them, of the titles played most.

use super::{GROUPS, group_of, plays_of};
use crate::associations::{PairSums, Problem};
use crate::taste::{Genres, Leans};
use hashbrown::HashSet;
use nearline_model::Aggregates;
use nearline_model::aggregates::counters::TitleCounters;
use nearline_model::aggregates::probes::{KeptProbe, MOST_SOURCES};
use nearline_model::aggregates::transitions::{BEGINNING, NEAR_STEP, NEXT_STEP};
use nearline_model::aggregates::{ALL, OPENING};
use nearline_model::catalogue::Catalogue;
use nearline_model::symbols::Symbol;

/// Titles that what was played is ranked among at most.
const MOST_TITLES: usize = 2_048;
/// Probes tried at most, the newest.
const MOST_EXAMPLES: usize = 1_536;

/// A play to be found again.
#[derive(Debug)]
pub(super) struct Example {
    /// Place of the title played.
    pub target: usize,
    /// Places of titles played before, with steps back from 0.
    pub sources: Vec<(usize, i32)>,
    /// Steps back to the beginning, if it is known.
    pub beginning: Option<i32>,
    pub group: usize,
    /// Place of the popularity then, and what the play itself adds to that of its title: among all plays, and
    /// among those that members began with.
    pub popularity: usize,
    pub own_popularity: [f32; 2],
    /// Place of the trend then; `None`: it is not known any more.
    pub trend: Option<usize>,
    /// How much the member leans to each set of genres; `None`: nothing is known.
    pub leans: Option<Leans>,
}

impl Example {
    /// The title played was among those played before, so many steps back.
    fn come_back(&mut self, back: i32) {
        self.sources.iter_mut().filter(|(_, step)| *step >= back).for_each(|(_, step)| *step += 1);
        self.beginning = self.beginning.map(|step| step + 1);
        let at = self.sources.partition_point(|(_, step)| *step < back);
        self.sources.insert(at, (self.target, back));
    }
}

/// What the ranking is tried on.
#[derive(Debug)]
pub struct Examination {
    titles: Vec<Symbol>,
    /// Sums between those titles, without the examples.
    pub(super) sums: PairSums,
    /// Place of the beginning.
    pub(super) beginning: Option<usize>,
    pub(super) examples: Vec<Example>,
    /// Plays of what was played before.
    pub(super) repeats: Vec<Example>,
    /// By group: plays of titles that are not ranked.
    pub(super) unranked: [usize; GROUPS.len()],
    /// How likely a title so many steps back is come back to.
    pub(super) chances: Vec<f64>,
    /// Popularity and trends of all titles at the times of examples, the greatest 1, and how much that was.
    pub(super) popularities: Vec<Faded>,
    pub(super) trends: Vec<Faded>,
    pub(super) plays: u64,
    /// Number of the set of genres, by place.
    pub(super) sets: Vec<u16>,
}

/// Plays of all titles as they were faded at some time, the greatest 1: all, and those that members began with.
#[derive(Debug)]
pub(super) struct Faded {
    half_life: u32,
    pub scores: [Vec<f32>; 2],
    tops: [f64; 2],
}

impl Faded {
    fn of(
        half_life: u32,
        titles: &[Symbol],
        aggregates: &Aggregates,
        score: impl Fn(&TitleCounters) -> f64,
    ) -> Self {
        let scores = [ALL, OPENING].map(|name| {
            let table = aggregates.counters(name);
            let counters = |title: &Symbol| table.and_then(|table| table.title(*title));
            titles.iter().map(|title| counters(title).map_or(0.0, &score)).collect::<Vec<f64>>()
        });
        let tops = scores.each_ref().map(|scores| scores.iter().copied().fold(f64::MIN_POSITIVE, f64::max));
        let share =
            |(scores, top): (Vec<f64>, f64)| scores.iter().map(|score| (score / top) as f32).collect();
        let [all, opening] = scores;
        Self { half_life, scores: [(all, tops[0]), (opening, tops[1])].map(share), tops }
    }
}

impl Examination {
    /// Of a problem that was looked at whole, and the sums that it is of.
    pub fn of(problem: &Problem, aggregates: &Aggregates, catalogue: &Catalogue) -> Self {
        let mut examination = Self::begin(problem);
        examination.look(aggregates, &Genres::of(aggregates, catalogue));
        examination
    }

    /// Takes the sums between titles out of `problem`.
    pub fn begin(problem: &Problem) -> Self {
        let titles = problem.titles();
        let most = titles.iter().take_while(|title| **title != BEGINNING).count().min(MOST_TITLES);
        let beginning = problem.place(BEGINNING);
        let places: Vec<usize> = (0..most).chain(beginning).collect();
        Self {
            sums: problem.sums().among(&places),
            titles: places.iter().map(|place| titles[*place]).collect(),
            beginning: beginning.map(|_| most),
            examples: Vec::new(),
            repeats: Vec::new(),
            unranked: [0; GROUPS.len()],
            chances: Vec::new(),
            popularities: Vec::new(),
            trends: Vec::new(),
            plays: 0,
            sets: Vec::new(),
        }
    }

    /// Takes probes and popularity from the sums.
    pub fn look(&mut self, aggregates: &Aggregates, genres: &Genres) {
        self.sets = self.titles.iter().map(|title| genres.set_of(*title)).collect();
        let mut probes: Vec<&KeptProbe> = aggregates.probes().iter().collect();
        probes.sort_by_key(|probe| std::cmp::Reverse((probe.epoch, probe.position)));
        let mut places = vec![None; aggregates.title_count() + 1];
        for (place, title) in self.titles.iter().enumerate() {
            if let Some(known) = places.get_mut(title.index()) {
                *known = Some(place);
            }
        }
        self.plays = plays_of(aggregates);
        if aggregates.returns().are_any() {
            self.chances = (0..=MOST_SOURCES).map(|back| aggregates.returns().chance_back(back)).collect();
        }
        // The newest of a member, and what the member began with, which no history speaks for: what came after a probe
        // is in the sums, and there it speaks against what was played. So no taste speaks for all, either.
        let mut tried: HashSet<(u64, bool, bool)> = HashSet::new();
        for probe in probes {
            let is_repeat = probe.again.is_some();
            let taken = if is_repeat { &self.repeats } else { &self.examples };
            if self.examples.len() >= MOST_EXAMPLES {
                break;
            }
            if taken.len() >= MOST_EXAMPLES {
                continue;
            }
            let group = group_of(probe.known().count());
            if !tried.insert((probe.member, group == 0, is_repeat)) {
                continue;
            }
            let Some(target) = places.get(probe.title.index()).copied().flatten() else {
                self.unranked[group] += usize::from(!is_repeat);
                continue;
            };
            let mut example = self.example(probe, target, &places, (aggregates, genres));
            if !is_repeat {
                self.hold_out(&example, probe.paired());
            }
            match probe.again {
                None => self.examples.push(example),
                Some(back) if (back as usize) < MOST_SOURCES => {
                    example.come_back(back as i32);
                    self.repeats.push(example);
                }
                Some(_) => {}
            }
        }
    }

    fn example(
        &mut self,
        probe: &KeptProbe,
        target: usize,
        places: &[Option<usize>],
        (aggregates, genres): (&Aggregates, &Genres),
    ) -> Example {
        let begun = probe.has_begun();
        let played = probe.known().count();
        let steps = probe.known().zip(0..);
        let place =
            |(source, step): (Symbol, i32)| Some((places.get(source.index()).copied().flatten()?, step));
        let (popularity, own_popularity) = self.popularity(probe, aggregates);
        Example {
            target,
            sources: steps.filter_map(place).collect(),
            beginning: begun.then_some(played as i32),
            group: group_of(played),
            popularity,
            own_popularity,
            trend: self.trend(probe, aggregates),
            leans: genres.leans(probe.known()),
        }
    }

    fn popularity(&mut self, probe: &KeptProbe, aggregates: &Aggregates) -> (usize, [f32; 2]) {
        let decays = aggregates.decays();
        let (half_life, _) = decays.half_lives(probe.epoch);
        let known = self.popularities.iter().position(|faded| faded.half_life == half_life);
        let place = known.unwrap_or_else(|| {
            let score = |counters: &TitleCounters| counters.popularity_around(probe.epoch, decays);
            self.popularities.push(Faded::of(half_life, &self.titles, aggregates, score));
            self.popularities.len() - 1
        });
        let weight = decays.popularity_weight(probe.epoch);
        let [own, opening] = self.popularities[place].tops.map(|top| (weight / top) as f32);
        let is_opening = *probe.sources == [BEGINNING];
        (place, [own, if is_opening { opening } else { 0.0 }])
    }

    fn trend(&mut self, probe: &KeptProbe, aggregates: &Aggregates) -> Option<usize> {
        let decays = aggregates.decays();
        if probe.epoch < decays.oldest_trend_epoch() {
            return None;
        }
        let (_, half_life) = decays.half_lives(probe.epoch);
        let known = self.trends.iter().position(|faded| faded.half_life == half_life);
        Some(known.unwrap_or_else(|| {
            let score = |counters: &TitleCounters| counters.trend_before(probe.epoch, decays);
            self.trends.push(Faded::of(half_life, &self.titles, aggregates, score));
            self.trends.len() - 1
        }))
    }

    /// Takes an example out of the sums: what is tried must not know the answer. Pairs were counted of the `paired`
    /// titles before it.
    fn hold_out(&mut self, example: &Example, paired: usize) {
        let beginning = self.beginning.zip(example.beginning);
        let counted = example.sources.iter().copied().filter(|(_, step)| (*step as usize) < paired);
        for (place, step) in counted.chain(beginning) {
            let at = (place, example.target);
            self.sums.next[at] = (self.sums.next[at] - NEXT_STEP.powi(step) as f32).max(0.0);
            self.sums.near[at] = (self.sums.near[at] - NEAR_STEP.powi(step) as f32).max(0.0);
        }
        let mut take = |place: usize| {
            self.sums.occurrences[place] = self.sums.occurrences[place].saturating_sub(1);
        };
        take(example.target);
        if let Some((beginning, 0)) = beginning {
            take(beginning);
        }
    }

    /// Titles that what was played is ranked among.
    pub(super) fn ranked(&self) -> usize {
        self.titles.len() - usize::from(self.beginning.is_some())
    }
}
