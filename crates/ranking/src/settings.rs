//! Settings of the ranking: what an experiment may vary.

use serde::{Deserialize, Serialize};

/// Whether titles seen before are offered again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", from = "RepeatsForm")]
pub enum Repeats {
    /// Never (in settings: `false`, too).
    Never,
    /// As far as members come back to what they know.
    #[default]
    Learned,
    /// All of them, as if they had not been seen (in settings: `true`, too).
    Always,
}

/// As settings may be written.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"never\", \"learned\", \"always\", false or true")]
enum RepeatsForm {
    Switch(bool),
    Name(RepeatsName),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RepeatsName {
    Never,
    Learned,
    Always,
}

impl From<RepeatsForm> for Repeats {
    fn from(form: RepeatsForm) -> Self {
        match form {
            RepeatsForm::Switch(false) | RepeatsForm::Name(RepeatsName::Never) => Self::Never,
            RepeatsForm::Name(RepeatsName::Learned) => Self::Learned,
            RepeatsForm::Switch(true) | RepeatsForm::Name(RepeatsName::Always) => Self::Always,
        }
    }
}

/// Settings of the ranking.
///
/// `step_weight`, `damping_power`, `popularity_weight`, `trend_weight`, `opening_share`, `beginning_weight` and `taste`
/// are chosen from the stream ([`crate::tuning`]) where they stand at their defaults and `learn` is on; set
/// otherwise, they are as they are set. The defaults count until there is enough to choose by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RankingSettings {
    /// Whether weights that stand at their defaults are chosen from the stream.
    pub learn: bool,
    /// What a title of the history counts for, one more step back.
    pub step_weight: f64,
    /// Power of `(plays + damping_plays)` that scores are divided by: the higher, the fewer hits.
    pub damping_power: f64,
    /// Plays added before damping, so that rare titles are not thrown to the top.
    pub damping_plays: f64,
    /// What the most popular title scores by its popularity alone.
    pub popularity_weight: f64,
    /// What the title with the strongest trend scores by its trend alone.
    pub trend_weight: f64,
    /// Share of plays that members began with in popularity and trend; the rest is all plays.
    pub opening_share: f64,
    /// What the beginning of a history counts for, as if it were a title before the first.
    pub beginning_weight: f64,
    /// How much the genres count that the member plays more than others do, over the whole history ([`crate::taste`]).
    pub taste: f64,
    /// Power of the take-rate lift that scores are multiplied by; 0: it does not count.
    pub lift_power: f64,
    /// How much titles unlike those before them are preferred, 0 to 1 (maximal marginal relevance).
    pub diversity: f64,
    /// How much catalogue titles that hardly anybody has played yet are mixed in, 0 to 1.
    pub freshness: f64,
    /// Share of the places from the fourth on that go to titles that are new, so that it is found out who likes them
    /// ([`crate::exploration`]); 0: none.
    pub exploration: f64,
    /// Whether titles seen before are offered again.
    pub repeats: Repeats,
    /// What a title of the history counts for after a thumb down; below 0 it counts against its like.
    pub thumb_down: f64,
    /// The same after a thumb up.
    pub thumb_up: f64,
    /// The same after two thumbs up.
    pub two_thumbs_up: f64,
    /// What each star above 3 (or below it) adds to 1 (or takes from it).
    pub star: f64,
    /// What a title counts for of which less than a tenth was watched.
    pub abandoned: f64,
}

impl Default for RankingSettings {
    fn default() -> Self {
        Self {
            learn: true,
            step_weight: 0.85,
            damping_power: 0.2,
            damping_plays: 20.0,
            popularity_weight: 0.001,
            trend_weight: 0.0001,
            opening_share: 0.0,
            beginning_weight: 0.1,
            taste: 0.0,
            lift_power: 2.0,
            diversity: 0.0,
            freshness: 0.1,
            exploration: 0.05,
            repeats: Repeats::Learned,
            thumb_down: -0.5,
            thumb_up: 1.2,
            two_thumbs_up: 1.4,
            star: 0.05,
            abandoned: 0.5,
        }
    }
}

impl RankingSettings {
    /// The first setting that is out of bounds, and its bounds.
    pub fn out_of_bounds(&self) -> Option<(&'static str, f64, f64, f64)> {
        let bounds = [
            ("step_weight", self.step_weight, 0.0, 0.99),
            ("damping_power", self.damping_power, 0.0, 1.0),
            ("damping_plays", self.damping_plays, 0.0, 1e9),
            ("popularity_weight", self.popularity_weight, 0.0, 1.0),
            ("trend_weight", self.trend_weight, 0.0, 1.0),
            ("opening_share", self.opening_share, 0.0, 1.0),
            ("beginning_weight", self.beginning_weight, 0.0, 10.0),
            ("taste", self.taste, 0.0, 4.0),
            ("lift_power", self.lift_power, 0.0, 4.0),
            ("diversity", self.diversity, 0.0, 1.0),
            ("freshness", self.freshness, 0.0, 1.0),
            ("exploration", self.exploration, 0.0, 0.5),
            ("thumb_down", self.thumb_down, -10.0, 10.0),
            ("thumb_up", self.thumb_up, -10.0, 10.0),
            ("two_thumbs_up", self.two_thumbs_up, -10.0, 10.0),
            ("star", self.star, 0.0, 0.5),
            ("abandoned", self.abandoned, -10.0, 10.0),
        ];
        bounds.into_iter().find(|(_, value, least, most)| !(*least..=*most).contains(value))
    }
}
