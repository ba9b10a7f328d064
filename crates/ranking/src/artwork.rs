//! Artwork personalisation: which artwork of a title a member is shown, and with what probability.
//!
//! Per title a contextual bandit chooses among the artworks of the catalogue. The context is the
//! member's affinity [`segment`]; what is [`belief`]ed of each artwork's rate comes from the
//! [arms](nearline_model::aggregates::arms) of the aggregates; Thompson sampling chooses each with the
//! probability that it is the [best](best_arm), mixed with a floor of exploration ([`policy`]).
//!
//! That probability is computed, not sampled, and goes out with the choice as its *propensity*: log it,
//! and any other policy can be evaluated off-line (`nearline-lab evaluate policy`).
//!
//! The draw is a hash of member, title and a window of time, so a member keeps an artwork for a window
//! on whichever node and after any restart, unless the probabilities have moved across the hash; and
//! each node remembers what it chose, so that not even that changes a page within the window.

pub mod belief;
pub mod best_arm;
pub mod policy;
mod quadrature;
mod remembered;
pub mod segment;

use crate::draw::hash;
use best_arm::Beta;
use nearline_model::aggregates::Aggregates;
use nearline_model::aggregates::arms::ArtworkTally;
use nearline_model::catalogue::Title;
use remembered::Remembered;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

pub use segment::affinity_segment;

/// Artworks of a title that are chosen among; the catalogue's further ones are not shown.
pub const MAX_ARTWORKS: usize = 32;

/// How artworks are chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArtworkSettings {
    /// Whether answers carry artworks.
    pub enabled: bool,
    /// Least probability of every artwork, 0.0001 to 0.25; with many artworks, half of all choices at most.
    pub exploration_floor: f64,
    /// Seconds for which a member is shown the same artwork of a title.
    pub hold_seconds: u32,
    /// Seconds after which what was learned meanwhile counts in new choices; less than a tenth of what is not known
    /// does not.
    pub refresh_seconds: u32,
    /// Choices remembered, and the same number of probabilities by title and segment.
    pub remembered: usize,
}

impl Default for ArtworkSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            exploration_floor: 0.01,
            hold_seconds: 6 * 3_600,
            refresh_seconds: 10,
            remembered: 100_000,
        }
    }
}

/// Who is shown an artwork.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The member.
    pub member: &'a str,
    /// The member's affinity segment.
    pub segment: Option<&'a Arc<str>>,
    /// When the member was erased: what was chosen before follows from what is forgotten.
    pub erased_at: Option<&'a str>,
}

/// An artwork that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The artwork: its place in the title's list.
    pub artwork: usize,
    /// Probability with which it was chosen, in (0, 1], a whole number of millionths.
    pub propensity: f64,
    /// Segment that it was chosen for.
    pub segment: Option<Arc<str>>,
}

/// What a title's artworks are chosen with for a segment.
#[derive(Debug, Clone)]
struct Chances {
    /// Probabilities, in millionths.
    probabilities: Arc<[u32]>,
    /// What they were worked out of.
    beliefs: Arc<[Beta]>,
    /// When what was learned meanwhile counts.
    until_ms: i64,
}

impl Chances {
    fn of(beliefs: Vec<Beta>, floor: f64, until_ms: i64) -> Self {
        Self { probabilities: chosen_with(&beliefs, floor).into(), beliefs: beliefs.into(), until_ms }
    }

    /// Whether what is believed now is hardly anything else.
    fn are_still_of(&self, beliefs: &[Beta]) -> bool {
        let mut pairs = self.beliefs.iter().zip(beliefs);
        self.beliefs.len() == beliefs.len() && pairs.all(|(then, now)| then.is_close_to(*now))
    }
}

/// Chooses artworks and remembers what it chose.
#[derive(Debug)]
pub struct Chooser {
    settings: ArtworkSettings,
    choices: Remembered<Choice>,
    chances: Remembered<Chances>,
}

impl Chooser {
    /// A chooser that remembers nothing yet.
    pub fn new(settings: ArtworkSettings) -> Self {
        let remembered = settings.remembered;
        Self {
            settings,
            choices: Remembered::new("choices", remembered),
            chances: Remembered::new("probabilities", remembered),
        }
    }

    /// The artwork of `title` that `viewer` is shown at `now_ms` (Unix milliseconds).
    /// `None` if the catalogue has none.
    pub fn choose(
        &mut self,
        aggregates: &Aggregates,
        title: &Title,
        viewer: Viewer<'_>,
        now_ms: i64,
    ) -> Option<Choice> {
        let Viewer { member, segment, erased_at } = viewer;
        if title.artworks.is_empty() || !self.settings.enabled {
            return None;
        }
        // The list of artworks is part of the keys: a title whose artworks change is chosen for anew.
        let list = hash(offered(title).map(str::as_bytes));
        let window = Window::of(member, now_ms, self.settings.hold_seconds);
        let draw = hash([member.as_bytes(), title.id.as_bytes(), &window.number.to_le_bytes()]);
        let erased = erased_at.unwrap_or_default();
        let key = hash([&draw.to_le_bytes()[..], &list.to_le_bytes(), erased.as_bytes()]);
        if let Some(choice) = self.choices.get(key, now_ms) {
            return Some(choice);
        }
        let probabilities = self.probabilities_among(aggregates, (title, list), segment, now_ms);
        let artwork = policy::pick(&probabilities, draw);
        let propensity = f64::from(probabilities[artwork]) / f64::from(policy::UNIT);
        let choice = Choice { artwork, propensity, segment: segment.cloned() };
        self.choices.put(key, window.end_ms, choice.clone());
        Some(choice)
    }

    /// The probabilities, in millionths, that artworks of `title` are chosen with for `segment` now. Working them out costs
    /// most of a choice, so they stay where what is [believed](belief) has hardly moved.
    pub fn probabilities(
        &mut self,
        aggregates: &Aggregates,
        title: &Title,
        segment: Option<&Arc<str>>,
        now_ms: i64,
    ) -> Arc<[u32]> {
        let list = hash(offered(title).map(str::as_bytes));
        self.probabilities_among(aggregates, (title, list), segment, now_ms)
    }

    /// The same of a title whose list of artworks has a hash of `list`.
    fn probabilities_among(
        &mut self,
        aggregates: &Aggregates,
        (title, list): (&Title, u64),
        segment: Option<&Arc<str>>,
        now_ms: i64,
    ) -> Arc<[u32]> {
        let name = segment.map_or("", |segment| segment);
        let key = hash([title.id.as_bytes(), name.as_bytes(), &list.to_le_bytes()]);
        // They are never too old to be looked at: what decides is what is believed.
        let known = self.chances.get(key, i64::MIN);
        if let Some(known) = known.as_ref().filter(|known| now_ms < known.until_ms) {
            return known.probabilities.clone();
        }
        let ArtworkSettings { refresh_seconds, exploration_floor, .. } = self.settings;
        let until_ms = now_ms + i64::from(refresh_seconds) * 1_000;
        let beliefs = beliefs(aggregates, title, name);
        let chances = match known {
            Some(known) if refresh_seconds > 0 && known.are_still_of(&beliefs) => {
                Chances { until_ms, ..known }
            }
            _ => Chances::of(beliefs, exploration_floor, until_ms),
        };
        let probabilities = chances.probabilities.clone();
        self.chances.put(key, i64::MAX, chances);
        probabilities
    }
}

/// The artworks of a title that are chosen among.
pub fn offered(title: &Title) -> impl Iterator<Item = &str> + Clone {
    if title.artworks.len() > MAX_ARTWORKS {
        metrics::counter!("nearline_artwork_limit_hits_total", "limit" => "artworks").increment(1);
    }
    title.artworks.iter().take(MAX_ARTWORKS)
}

/// Probabilities, in millionths, with which each artwork that `title` [offers](offered) is chosen for
/// members of `segment` (empty: of none), by what the aggregates know now.
pub fn probabilities(aggregates: &Aggregates, title: &Title, segment: &str, floor: f64) -> Vec<u32> {
    chosen_with(&beliefs(aggregates, title, segment), floor)
}

fn chosen_with(beliefs: &[Beta], floor: f64) -> Vec<u32> {
    policy::with_floor(&best_arm::probability_best(beliefs), floor)
}

/// The rate at which members of `segment` (empty: of none) are expected to take each artwork that
/// `title` [offers](offered).
pub fn expected_rates(aggregates: &Aggregates, title: &Title, segment: &str) -> Vec<f64> {
    beliefs(aggregates, title, segment).into_iter().map(Beta::mean).collect()
}

fn beliefs(aggregates: &Aggregates, title: &Title, segment: &str) -> Vec<Beta> {
    let artworks = offered(title);
    let arms = aggregates.arms();
    let tallies = match aggregates.title(&title.id) {
        Some(number) => arms.tallies(number, artworks, segment),
        None => vec![ArtworkTally::default(); artworks.count()],
    };
    belief::beliefs(arms.overall(), &tallies, !segment.is_empty())
}

/// A stretch of time in which a member keeps an artwork.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its number.
    pub number: i64,
    /// When it ends, Unix milliseconds.
    pub end_ms: i64,
}

impl Window {
    /// The window of `member` that `now_ms` lies in. Those of different members begin at different times,
    /// so that pages do not change all at once.
    pub fn of(member: &str, now_ms: i64, hold_seconds: u32) -> Self {
        let length_ms = i64::from(hold_seconds.max(1)) * 1_000;
        let shift_ms = (xxh3_64(member.as_bytes()) % length_ms.unsigned_abs()) as i64;
        let number = (now_ms + shift_ms).div_euclid(length_ms);
        Self { number, end_ms: (number + 1) * length_ms - shift_ms }
    }
}
