//! Tuning: the ranking's weights, chosen from the stream.
//!
//! What suits one kind of service does not suit another: a shop's sessions are led by the last click, films
//! by the last weeks. So a share of all plays is kept as [probes](nearline_model::aggregates::probes), with
//! what was played before each. Now and then the ranking tries itself on them, on sums from which they were
//! taken out, and weights move where that places what was played higher: by members with few plays and with
//! many, each for themselves, since the page after the first play asks for others than that after the
//! hundredth.
//!
//! All follows from the sums, but for what was chosen before: weights stay where they are unless others
//! are better by more than a standard error, so that they do not flap. So what was chosen is stored (`stored`):
//! nodes share it, and a restart goes on from it.

mod descent;
mod examination;
mod returning;
mod stored;

pub use examination::Examination;
pub(crate) use returning::REFERENCE_RANK;
pub use returning::Returning;

use crate::associations::Weighing;
use crate::settings::RankingSettings;
use nearline_model::Aggregates;
use serde::{Deserialize, Serialize};

/// Titles played from which on a member belongs to each group; others need another version of the stored form.
const GROUPS: [usize; 5] = [0, 1, 2, 6, 21];
/// Probes from which on anything is chosen.
const LEAST_EXAMPLES: usize = 200;
/// Weights are chosen again when there are this many times as many plays as before.
const GROWTH: f64 = 1.05;

/// What may be chosen of each weight. All grow, so that a neighbour is a little more or less.
const STEPS: [f64; 8] = [0.3, 0.5, 0.65, 0.8, 0.85, 0.9, 0.93, 0.95];
const DAMPINGS: [f64; 7] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
const POPULARITIES: [f64; 8] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3];
const TRENDS: [f64; 9] = [0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3];
const OPENINGS: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
const BEGINNINGS: [f64; 6] = [0.0, 0.03, 0.1, 0.3, 1.0, 3.0];
const TASTES: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0];
const REGULARISATIONS: [f64; 4] = [5.0, 20.0, 80.0, 320.0];
const DIRECT_SHARES: [f64; 5] = [0.0, 0.2, 0.5, 0.8, 1.0];

/// Weights of a group.
const WEIGHTS: usize = 7;

/// Weights of the members of one group: places in what may be chosen of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    step: usize,
    damping: usize,
    popularity: usize,
    trend: usize,
    opening: usize,
    beginning: usize,
    taste: usize,
}

/// The defaults of [`RankingSettings`].
const DEFAULT_CHOICE: Choice =
    Choice { step: 4, damping: 2, popularity: 2, trend: 1, opening: 0, beginning: 2, taste: 0 };
/// Of members who played nothing, until enough of them began to choose for them: what others began with counts
/// as much as what everybody plays, and what suits members with a history says nothing of them.
const NEWCOMERS_CHOICE: Choice = Choice { opening: 2, beginning: 0, ..DEFAULT_CHOICE };
/// Those of [`Weighing`].
const DEFAULT_WEIGHING: (usize, usize) = (1, 1);

impl Choice {
    /// Each weight with the number of values it may have.
    fn weights(&mut self) -> [(&mut usize, usize); WEIGHTS] {
        [
            (&mut self.step, STEPS.len()),
            (&mut self.damping, DAMPINGS.len()),
            (&mut self.popularity, POPULARITIES.len()),
            (&mut self.trend, TRENDS.len()),
            (&mut self.opening, OPENINGS.len()),
            (&mut self.beginning, BEGINNINGS.len()),
            (&mut self.taste, TASTES.len()),
        ]
    }

    /// The same with one weight moved; `None` where there is none.
    fn moved(mut self, weight: usize, by: isize) -> Option<Self> {
        let (value, values) = &mut self.weights()[weight];
        let moved = value.checked_add_signed(by).filter(|moved| *moved < *values)?;
        **value = moved;
        Some(self)
    }

    fn values(self) -> Weights {
        Weights {
            step: STEPS[self.step],
            damping: DAMPINGS[self.damping],
            popularity: POPULARITIES[self.popularity],
            trend: TRENDS[self.trend],
            opening: OPENINGS[self.opening],
            beginning: BEGINNINGS[self.beginning],
            taste: TASTES[self.taste],
        }
    }
}

/// Weights of the members of one group, as in [`RankingSettings`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// What a title of the history counts for, one more step back.
    pub step: f64,
    /// Power of plays that scores are divided by.
    pub damping: f64,
    /// What the most popular title scores by that alone.
    pub popularity: f64,
    /// The same of the strongest trend.
    pub trend: f64,
    /// Share of plays that members began with in both.
    pub opening: f64,
    /// What the beginning of a history counts for.
    pub beginning: f64,
    /// How much the genres count that the member plays more than others do.
    pub taste: f64,
}

/// What was chosen for the members of one group, and on what evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupTuning {
    /// Titles played from which on a member belongs to it.
    pub from_plays: usize,
    /// Probes that it was tried on.
    pub probes: usize,
    /// Mean of 10 / (9 + rank) of what was played, 0 to 1.
    pub gain: f64,
    /// The same under the defaults.
    pub gain_of_defaults: f64,
    /// What was chosen.
    pub weights: Weights,
}

/// The ranking's weights, as they were chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuning {
    /// How weights between titles are made.
    pub weighing: Weighing,
    /// By group; none until there was enough to choose by.
    pub groups: Vec<GroupTuning>,
    /// What titles played before are held against; `None`: members did not come back to any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returning: Option<Returning>,
    #[serde(skip)]
    places: (usize, usize),
    #[serde(skip)]
    choices: [Choice; GROUPS.len()],
    /// Plays that the sums held then.
    plays: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            weighing: Weighing::default(),
            groups: Vec::new(),
            returning: None,
            places: DEFAULT_WEIGHING,
            choices: [DEFAULT_CHOICE; GROUPS.len()],
            plays: 0,
        }
    }
}

impl Tuning {
    /// Whether there is enough that is new, so that weights should be chosen again.
    pub fn is_due(&self, aggregates: &Aggregates) -> bool {
        let plays = plays_of(aggregates);
        let is_more = plays as f64 >= self.plays as f64 * GROWTH || plays < self.plays;
        is_more && aggregates.probes().iter().count() >= LEAST_EXAMPLES
    }

    /// Weights chosen anew by an examination, beginning with these.
    pub fn chosen_by(&self, examination: &Examination) -> Self {
        descent::tune(examination, self)
    }

    /// `settings` for a member who played so many titles, with what was chosen in the place of what stands
    /// at its default.
    pub fn applied(&self, settings: RankingSettings, played: usize) -> RankingSettings {
        let Some(group) = self.groups.get(group_of(played)).filter(|_| settings.learn) else {
            return settings;
        };
        let (defaults, chosen) = (RankingSettings::default(), group.weights);
        let or_chosen = |set: f64, default: f64, chosen: f64| if set == default { chosen } else { set };
        RankingSettings {
            step_weight: or_chosen(settings.step_weight, defaults.step_weight, chosen.step),
            damping_power: or_chosen(settings.damping_power, defaults.damping_power, chosen.damping),
            popularity_weight: or_chosen(
                settings.popularity_weight,
                defaults.popularity_weight,
                chosen.popularity,
            ),
            trend_weight: or_chosen(settings.trend_weight, defaults.trend_weight, chosen.trend),
            opening_share: or_chosen(settings.opening_share, defaults.opening_share, chosen.opening),
            beginning_weight: or_chosen(
                settings.beginning_weight,
                defaults.beginning_weight,
                chosen.beginning,
            ),
            taste: or_chosen(settings.taste, defaults.taste, chosen.taste),
            ..settings
        }
    }
}

/// Whether there are so many more plays than a moment ago that weights chosen now would soon be chosen again.
pub fn grew_fast(before: u64, now: u64) -> bool {
    now as f64 > before as f64 * GROWTH
}

/// Plays of all titles, ever.
pub fn plays_of(aggregates: &Aggregates) -> u64 {
    aggregates.all_plays().iter().sum()
}

/// The group of a member who played so many titles.
pub(crate) fn group_of(played: usize) -> usize {
    GROUPS.partition_point(|from| *from <= played) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_settings() {
        let (settings, weights) = (RankingSettings::default(), DEFAULT_CHOICE.values());
        let of_settings = Weights {
            step: settings.step_weight,
            damping: settings.damping_power,
            popularity: settings.popularity_weight,
            trend: settings.trend_weight,
            opening: settings.opening_share,
            beginning: settings.beginning_weight,
            taste: settings.taste,
        };
        assert_eq!(weights, of_settings);
        let (regularisation, direct_share) = DEFAULT_WEIGHING;
        let weighing = Weighing {
            regularisation: REGULARISATIONS[regularisation],
            direct_share: DIRECT_SHARES[direct_share],
        };
        assert_eq!(weighing, Weighing::default());
    }

    #[test]
    fn members_are_grouped_by_what_they_played() {
        let groups = [0, 1, 2, 5, 6, 20, 21, 10_000].map(group_of);
        assert_eq!(groups, [0, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn what_is_set_is_not_learned() {
        let chosen = Choice { step: 0, popularity: 5, ..DEFAULT_CHOICE };
        let group = |from_plays: &usize| GroupTuning {
            from_plays: *from_plays,
            probes: 300,
            gain: 0.2,
            gain_of_defaults: 0.1,
            weights: chosen.values(),
        };
        let tuning = Tuning { groups: GROUPS.iter().map(group).collect(), ..Tuning::default() };
        let set = RankingSettings { step_weight: 0.7, ..RankingSettings::default() };
        let applied = tuning.applied(set, 3);
        assert_eq!((applied.step_weight, applied.popularity_weight), (0.7, POPULARITIES[5]));
        let pinned = RankingSettings { learn: false, ..RankingSettings::default() };
        assert_eq!(tuning.applied(pinned, 3), pinned);
        assert_eq!(Tuning::default().applied(set, 3), set, "nothing was chosen");
    }
}
