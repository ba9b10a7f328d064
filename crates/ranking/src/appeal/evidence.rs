//! Evidence: what the sums say of a title and a member, without what a contest itself added to them.

use super::blend::{ASSOCIATED, BANDS, PLAYED_BEFORE, Row, SHOWN_BEFORE, TAKE_RATE, TASTE, TOGETHER};
use crate::associations::{Associations, Equations};
use crate::settings::RankingSettings;
use crate::taste::Genres;
use hashbrown::HashSet;
use nearline_model::aggregates::contests::KeptContest;
use nearline_model::aggregates::transitions::{Followers, NEAR_STEP, NEXT_STEP};
use nearline_model::aggregates::{ALL, Aggregates};
use nearline_model::delta::{Candidate, EPOCH_MS, epoch_of};
use nearline_model::symbols::{NONE, Symbol};

/// Titles played before that are held against a title at most, the latest.
const MOST_SOURCES: usize = 16;
/// Half-life of click rates in epochs, and the age from which on an epoch is left out.
const RATE_HALF_LIFE: f64 = 48.0;
const MOST_EPOCHS: u32 = 480;
/// Impressions that a click rate is drawn to the mean by.
const DOUBTED_IMPRESSIONS: f64 = 5.0;
/// Pairs that any two titles are taken to have, and to be expected to.
const DOUBTED_PAIRS: f64 = 1.0;
/// What an association counts for at least, so that its logarithm does.
const LEAST_ASSOCIATION: f64 = 1e-3;

/// Sums to look at, and what was worked out of them.
pub(super) struct Evidence<'a> {
    pub aggregates: &'a Aggregates,
    pub associations: &'a Associations,
    pub genres: &'a Genres,
    /// How likely a title that is shown is taken, in the mean.
    pub take_rate: f64,
    /// Plays of all titles.
    pub plays: f64,
}

/// A title that was played before.
struct Source<'a> {
    symbol: Symbol,
    plays: f64,
    followers: Option<&'a Followers>,
    /// Steps back.
    step: i32,
}

impl Evidence<'_> {
    /// What the sums say of the titles of a contest, one row each. `taken` says who took what, in contests kept: who takes several titles of one list is in the sums with all of them.
    pub fn of_contest(&self, contest: &KeptContest, taken: &HashSet<(u64, Symbol)>) -> Vec<Row> {
        // Sums of the epoch of the contest may know how it ended.
        let until = epoch_of(i64::from(contest.at_s) * 1_000).saturating_sub(1);
        let is_taken = |title| taken.contains(&(contest.member, title));
        self.look(&contest.candidates, &contest.sources, until, is_taken)
    }

    /// The same of titles that may be shown to whoever played `sources`, most recent first.
    pub fn of_titles(&self, titles: &[Candidate], sources: &[Symbol], now_ms: i64) -> Vec<Row> {
        let until = (now_ms.max(0) / EPOCH_MS) as u32;
        self.look(titles, sources, until, |_| false)
    }

    /// A row for each title. Of titles that the member took (`is_taken`) the sums know that by now: it is taken out of them.
    fn look(
        &self,
        titles: &[Candidate],
        sources: &[Symbol],
        until: u32,
        is_taken: impl Fn(Symbol) -> bool,
    ) -> Vec<Row> {
        let near: Vec<Source<'_>> =
            (0..).zip(sources.iter().take(MOST_SOURCES)).map(|s| self.source(s)).collect();
        let leans = self.genres.leans(sources.iter().copied());
        let tastes = leans.map(|leans| leans.factors(1.0));
        let row = |candidate: &Candidate| {
            let title = candidate.title;
            let mut row: Row = [0.0; _];
            (row[TOGETHER], row[ASSOCIATED]) = self.with_sources(title, &near, is_taken(title));
            row[TAKE_RATE] = self.rate(title, until).ln();
            let taste = tastes.as_ref().map(|tastes| tastes[usize::from(self.genres.set_of(title))]);
            row[TASTE] = taste.map_or(0.0, f64::ln);
            row[SHOWN_BEFORE] = f64::from(candidate.shown_before).ln_1p();
            row[PLAYED_BEFORE] = f64::from(u8::from(sources.contains(&title)));
            if let Some(band) = candidate.band {
                row[BANDS + band.number()] = 1.0;
            }
            row
        };
        titles.iter().map(row).collect()
    }

    fn source(&self, (step, symbol): (i32, &Symbol)) -> Source<'_> {
        Source {
            symbol: *symbol,
            plays: self.aggregates.occurrences(*symbol) as f64,
            followers: self.aggregates.transitions().after(*symbol),
            step,
        }
    }

    /// How much more often a title was played near the sources than by chance, as a sum of logarithms over the root of
    /// their number; and the logarithm of what they speak for it, as in the ranking of all titles.
    fn with_sources(&self, title: Symbol, sources: &[Source<'_>], is_taken: bool) -> (f64, f64) {
        let own = if is_taken { 1.0 } else { 0.0 };
        let plays = (self.aggregates.plays(title) as f64 - own).max(0.0);
        // What is not in the sums has the number that the beginning has there.
        let back = Some(title).filter(|title| *title != NONE);
        let back = back.and_then(|title| self.aggregates.transitions().after(title));
        // Who comes back to a title is in no pair with it.
        let is_repeat = sources.iter().any(|source| source.symbol == title);
        let own = if is_repeat { 0.0 } else { own };
        let (mut lifts, mut spoken) = (0.0, 0.0);
        for source in sources.iter().filter(|source| source.symbol != title) {
            let pair = source.followers.map(|followers| followers.get(title)).unwrap_or_default();
            let before = back.map(|back| back.get(source.symbol)).unwrap_or_default();
            let own_near = own * NEAR_STEP.powi(source.step);
            let near = (pair.near() + before.near() - own_near).max(0.0);
            let expected = source.plays * plays / self.plays.max(1.0);
            lifts += ((near + DOUBTED_PAIRS) / (expected + DOUBTED_PAIRS)).ln();
            let own_next = own * NEXT_STEP.powi(source.step);
            let weight = self.weight(source, title, (pair.next(), own_next, own_near));
            spoken += NEXT_STEP.powi(source.step) * weight;
        }
        let settings = RankingSettings::default();
        let damping = (plays + settings.damping_plays).powf(-settings.damping_power);
        let together = lifts / (sources.len().max(1) as f64).sqrt();
        (together, (spoken.max(0.0) * damping + LEAST_ASSOCIATION).ln())
    }

    /// The weight between two titles, without what one play added to it: exact for what is not solved, and for what is as
    /// if the two were alone.
    fn weight(&self, source: &Source<'_>, title: Symbol, (next, own_next, own_near): (f64, f64, f64)) -> f64 {
        let occurrences = source.plays as u64;
        let Some(solved) = self.associations.weight(source.symbol, title) else {
            let direct = Equations::direct((next - own_next).max(0.0), occurrences);
            return self.associations.unsolved_weight(source.symbol, title, direct, self.aggregates);
        };
        if own_near <= 0.0 {
            return solved;
        }
        let weighing = self.associations.weighing();
        let own_solved = Equations::own_part(own_next, own_near, occurrences, weighing.regularisation);
        let own_direct = Equations::direct(own_next, occurrences);
        solved - weighing.direct_share * own_direct - (1.0 - weighing.direct_share) * own_solved
    }

    /// Share of impressions up to an epoch that were taken, faded, drawn to the mean.
    fn rate(&self, title: Symbol, until: u32) -> f64 {
        let counters = self.aggregates.counters(ALL).and_then(|table| table.title(title));
        let (mut impressions, mut taken) = (0.0, 0.0);
        let epochs = counters.map(|counters| counters.epochs.as_slice()).unwrap_or_default();
        let known = epochs.partition_point(|(epoch, _)| *epoch <= until);
        for (epoch, counts) in epochs[..known].iter().rev() {
            if until - epoch > MOST_EPOCHS {
                break;
            }
            let weight = (-f64::from(until - epoch) / RATE_HALF_LIFE).exp2();
            impressions += weight * f64::from(counts.impressions);
            taken += weight * f64::from(counts.attributed);
        }
        (taken + self.take_rate * DOUBTED_IMPRESSIONS) / (impressions + DOUBTED_IMPRESSIONS)
    }
}
