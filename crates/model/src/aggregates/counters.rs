//! Title counters of one dimension: counts by 30-minute epoch, decayed popularity and trend.

use super::block_maxima::BlockMaxima;
use super::gone::Gone;
use crate::decay::{DecayWeights, DecayedSum, KEPT_HALF_LIVES, UNIT};
use crate::delta::Counts;
use crate::symbols::Symbol;
use get_size2::GetSize;
use hashbrown::HashMap;

/// Half-lives that a score may grow above its landmark before all scores are rescaled.
const RESCALE_HALF_LIVES: u32 = 256;

/// How counters fade: shared by all dimensions.
#[derive(Debug, Clone, GetSize)]
pub struct Decays {
    pub(crate) popularity: DecayWeights,
    pub(crate) trend: DecayWeights,
    /// Epochs of counts kept.
    pub(crate) epochs: u32,
    pub(crate) newest_epoch: u32,
    pub(crate) popularity_landmark: u32,
    pub(crate) trend_landmark: u32,
}

impl Decays {
    /// Moves on to `epoch`; true if scores must be rescaled and old counts swept out.
    pub(crate) fn advance(&mut self, epoch: u32) -> bool {
        if epoch <= self.newest_epoch {
            return false;
        }
        let sweep = self.epochs.max(8) / 8;
        let before = (self.popularity.place(self.newest_epoch).0, self.trend.place(self.newest_epoch).0);
        let (popularity, trend) = (self.popularity.place(epoch).0, self.trend.place(epoch).0);
        // With each half-life another one runs out, of titles too that nobody adds to: swept out at
        // once, or scores would depend on how the log was cut into deltas.
        let swept = self.newest_epoch / sweep != epoch / sweep || before != (popularity, trend);
        self.newest_epoch = epoch;
        let rescale = popularity > self.popularity_landmark + RESCALE_HALF_LIVES;
        if rescale {
            self.popularity_landmark = popularity;
        }
        if rescale || swept {
            self.trend_landmark = trend;
        }
        rescale || swept
    }

    /// Half-lives of popularity and trend that `epoch` lies in.
    pub fn half_lives(&self, epoch: u32) -> (u32, u32) {
        (self.popularity.place(epoch).0, self.trend.place(epoch).0)
    }

    /// The weight of one play at `epoch`, in units of one at the beginning of its half-life of popularity.
    pub fn popularity_weight(&self, epoch: u32) -> f64 {
        self.popularity.place(epoch).1 as f64 / UNIT
    }

    /// The oldest epoch of which the trend before it is still known.
    pub fn oldest_trend_epoch(&self) -> u32 {
        let half_life = self.trend.half_life_epochs();
        (self.newest_epoch / half_life).saturating_sub(KEPT_HALF_LIVES / 2) * half_life
    }

    /// The oldest half-life that is kept of sums with these weights.
    fn oldest_half_life(&self, weights: &DecayWeights) -> u32 {
        weights.place(self.newest_epoch).0.saturating_sub(KEPT_HALF_LIVES)
    }

    /// The oldest epoch whose counts are kept.
    pub fn oldest_epoch(&self) -> u32 {
        (self.newest_epoch + 1).saturating_sub(self.epochs)
    }
}

/// What is added to the counters of one title.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addition {
    pub(crate) title: Symbol,
    /// Epoch of event time.
    pub(crate) epoch: u32,
    pub(crate) counts: Counts,
}

/// Counters of one title in one dimension.
#[derive(Debug, Clone, Default, PartialEq, GetSize)]
pub struct TitleCounters {
    /// Counts by epoch, oldest first.
    pub epochs: Vec<(u32, Counts)>,
    pub(crate) popularity: DecayedSum,
    pub(crate) trend: DecayedSum,
}

impl TitleCounters {
    pub(crate) fn expire(&mut self, decays: &Decays) {
        let expired = self.epochs.len() - self.kept_epochs(decays).len();
        self.epochs.drain(..expired);
        self.popularity.expire(decays.oldest_half_life(&decays.popularity));
        self.trend.expire(decays.oldest_half_life(&decays.trend));
    }

    /// The counts that are not too old.
    pub(crate) fn kept_epochs(&self, decays: &Decays) -> &[(u32, Counts)] {
        let expired = self.epochs.partition_point(|(epoch, _)| *epoch < decays.oldest_epoch());
        &self.epochs[expired..]
    }

    /// Popularity and trend without what is too old, as [`DecayedSum`]s are stored.
    pub(crate) fn kept_sums(&self, decays: &Decays) -> [&[(u32, u64)]; 2] {
        [
            self.popularity.kept(decays.oldest_half_life(&decays.popularity)),
            self.trend.kept(decays.oldest_half_life(&decays.trend)),
        ]
    }

    /// Whether all of it is too old.
    pub(crate) fn is_expired(&self, decays: &Decays) -> bool {
        self.kept_epochs(decays).is_empty() && self.kept_sums(decays).iter().all(|sum| sum.is_empty())
    }

    fn count(&mut self, epoch: u32, counts: Counts) {
        let at = match self.epochs.last() {
            Some((last, _)) if *last == epoch => self.epochs.len() - 1,
            _ => self.epochs.partition_point(|(known, _)| *known < epoch),
        };
        match self.epochs.get_mut(at) {
            Some((known, sum)) if *known == epoch => *sum += counts,
            _ => self.epochs.insert(at, (epoch, counts)),
        }
    }

    /// Adds plays to popularity and trend, and gives what both are worth.
    fn fade(&mut self, epoch: u32, plays: u64, decays: &Decays) -> (f64, f64) {
        self.popularity.add(&decays.popularity, epoch, plays, decays.newest_epoch);
        self.trend.add(&decays.trend, epoch, plays, decays.newest_epoch);
        self.faded(decays)
    }

    fn faded(&self, decays: &Decays) -> (f64, f64) {
        (self.popularity.value(decays.popularity_landmark), self.trend.value(decays.trend_landmark))
    }

    /// Plays faded by the short half-life, as of the newest epoch.
    pub fn faded_plays(&self, decays: &Decays) -> f64 {
        let (half_life, weight) = decays.trend.place(decays.newest_epoch);
        self.trend.value(half_life) * UNIT / weight as f64
    }

    /// What popularity was worth in the half-life of `epoch`, plays of all of it included; in units of one
    /// play at its beginning.
    pub fn popularity_around(&self, epoch: u32, decays: &Decays) -> f64 {
        let half_life = decays.popularity.place(epoch).0;
        self.popularity.value_up_to(half_life)
    }

    /// What the trend was worth at the beginning of the half-life of `epoch`, in units of one play then.
    pub fn trend_before(&self, epoch: u32, decays: &Decays) -> f64 {
        let half_life = decays.trend.place(epoch).0;
        half_life.checked_sub(1).map_or(0.0, |before| self.trend.value_up_to(before) / 2.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.epochs.is_empty() && self.popularity.is_empty() && self.trend.is_empty()
    }
}

/// Counters of all titles in one dimension.
#[derive(Debug, Clone, Default, GetSize)]
pub struct CounterTable {
    pub(crate) titles: HashMap<Symbol, TitleCounters>,
    popularity: FadedPlays,
    trend: FadedPlays,
    /// Impressions and plays in the epochs kept, as of the last sweep and since.
    events: u64,
}

/// Decayed plays by title number, in a unit common to all of them.
#[derive(Debug, Clone, Default, GetSize)]
pub struct FadedPlays {
    scores: Vec<f64>,
    maxima: BlockMaxima,
}

impl FadedPlays {
    /// By title number.
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// The greatest of each block of titles.
    pub fn maxima(&self) -> &BlockMaxima {
        &self.maxima
    }

    fn put(&mut self, title: Symbol, score: f64) {
        let at = title.index();
        if self.scores.len() <= at {
            self.scores.resize(at + 1, 0.0);
        }
        let before = std::mem::replace(&mut self.scores[at], score);
        self.maxima.changed(&self.scores, at, before);
    }

    fn clear(&mut self) {
        self.scores.fill(0.0);
        self.maxima.clear();
    }
}

impl CounterTable {
    /// Adds counts, those of one title one after the other.
    pub(crate) fn add(&mut self, additions: &[Addition], decays: &Decays) {
        for of_title in additions.chunk_by(|a, b| a.title == b.title) {
            let Some(&Addition { title, .. }) = of_title.first() else { continue };
            let counters = self.titles.entry(title).or_default();
            let mut scores = None;
            for Addition { epoch, counts, .. } in of_title {
                if *epoch >= decays.oldest_epoch() {
                    self.events += counts.events();
                    counters.count(*epoch, *counts);
                }
                if counts.plays > 0 {
                    scores = Some(counters.fade(*epoch, u64::from(counts.plays), decays));
                }
            }
            if let Some(scores) = scores {
                self.put(title, scores);
            }
        }
    }

    /// Adds to popularity and trend alone.
    pub(crate) fn fade(&mut self, title: Symbol, epoch: u32, plays: u64, decays: &Decays) {
        let scores = self.titles.entry(title).or_default().fade(epoch, plays, decays);
        self.put(title, scores);
    }

    fn put(&mut self, title: Symbol, (popularity, trend): (f64, f64)) {
        self.popularity.put(title, popularity);
        self.trend.put(title, trend);
    }

    /// Sweeps out what is too old, and recomputes all scores.
    pub(crate) fn rescale(&mut self, decays: &Decays) {
        self.popularity.clear();
        self.trend.clear();
        self.titles.retain(|_, counters| {
            counters.expire(decays);
            !counters.is_empty()
        });
        self.events = 0;
        for (title, counters) in &self.titles {
            self.events += counters.epochs.iter().map(|(_, counts)| counts.events()).sum::<u64>();
            let (popularity, trend) = counters.faded(decays);
            self.popularity.put(*title, popularity);
            self.trend.put(*title, trend);
        }
    }

    /// Forgets the titles that are `gone`.
    pub(super) fn forget(&mut self, gone: &Gone) {
        let forgotten: Vec<Symbol> =
            self.titles.extract_if(|title, _| gone.has(*title)).map(|(title, _)| title).collect();
        for title in forgotten {
            self.put(title, (0.0, 0.0));
        }
    }

    /// Impressions and plays in the epochs kept, as of the last sweep and since.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Plays faded by the half-life of popularity.
    pub fn popularity(&self) -> &FadedPlays {
        &self.popularity
    }

    /// Plays faded by the short half-life of trends.
    pub fn trend(&self) -> &FadedPlays {
        &self.trend
    }

    /// Numbers of all titles counted, in no order.
    pub fn titles(&self) -> impl Iterator<Item = (Symbol, &TitleCounters)> {
        self.titles.iter().map(|(title, counters)| (*title, counters))
    }

    /// Counters of one title.
    pub fn title(&self, title: Symbol) -> Option<&TitleCounters> {
        self.titles.get(&title)
    }
}
