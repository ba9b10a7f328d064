//! What is asked of the ranking.

use crate::exploration::Seed;
use crate::learned::Learned;
use crate::settings::RankingSettings;
use nearline_model::{Aggregates, MemberSnapshot};

/// What is asked for.
#[derive(Clone, Default)]
pub struct Query<'a> {
    /// Titles wanted at most.
    pub limit: usize,
    /// Country: decides availability, and popularity is that of the country.
    pub country: Option<&'a str>,
    /// Device: popularity is that of the device, too.
    pub device: Option<&'a str>,
    /// Titles not wanted.
    pub exclude: Vec<&'a str>,
    /// Whether reasons are wanted.
    pub explain: bool,
    /// Which titles may be offered, beside availability; `None`: all.
    pub admit: Option<&'a dyn Fn(&str) -> bool>,
    /// What a title's score is multiplied by; `None`: 1 for all.
    pub boost: Option<&'a dyn Fn(&str) -> f64>,
    /// Settings of the ranking; `None`: the defaults.
    pub settings: Option<&'a RankingSettings>,
    /// What was worked out before; `None`: the sums alone answer.
    pub learned: Option<&'a Learned>,
    /// Who asks and when, by which places are given to new titles; `None`: none are.
    pub seed: Option<Seed<'a>>,
}

impl<'a> Query<'a> {
    pub(crate) fn settings(&self) -> RankingSettings {
        self.settings.copied().unwrap_or_default()
    }

    /// The settings for `member`: what is learned takes the place of what stands at its default.
    pub(crate) fn settings_for(
        &self,
        aggregates: &Aggregates,
        member: Option<&MemberSnapshot>,
    ) -> RankingSettings {
        let settings = self.settings();
        let played = member.map_or(0, |member| member.history.len() + member.seen.len());
        match self.learned_of(aggregates) {
            Some(learned) => learned.tuning.applied(settings, played),
            None => settings,
        }
    }

    /// What was worked out of these sums. Others in their place number titles otherwise: until they are
    /// solved, the sums alone answer.
    pub(crate) fn learned_of(&self, aggregates: &Aggregates) -> Option<&'a Learned> {
        self.learned.filter(|learned| learned.associations.are_of(aggregates))
    }
}
