//! What is measured: the sums over all members and the ranking on them. Every call to the ranking
//! stands here, so that evaluation changes in one place when the ranking does.

use nearline_model::catalogue::Catalogue;
use nearline_model::delta::Delta;
use nearline_model::settings::AggregateSettings;
use nearline_model::{Aggregates, MemberSnapshot, Title};
use nearline_ranking::appeal::Appeal;
use nearline_ranking::settings::{RankingSettings, Repeats};
use nearline_ranking::tuning::Tuning;
use nearline_ranking::{Learned, Query, Ranked, rank, score_given};
use std::sync::Arc;

/// Aggregates, catalogue and ranking, as a node that serves has them.
pub struct Recommender {
    aggregates: Aggregates,
    catalogue: Catalogue,
    plays: u64,
    ranking: RankingSettings,
    solved_titles: usize,
    learned: Learned,
    /// Plays from which on the ranking's weights are solved again.
    solve_at: u64,
    /// Plays of a whole replay; 0: not known.
    expected_plays: u64,
}

/// Weights are solved again when there are this many times as many plays as before.
const SOLVE_GROWTH: f64 = 1.01;
/// Solves of [`COSTLY_TITLES`] titles that a whole replay may come to, about, where its plays are known.
const MOST_SOLVES: f64 = 32.0;
/// Titles whose solve, with the choice of weights beside it, takes seconds; it grows with their cube.
const COSTLY_TITLES: f64 = 2_048.0;

impl Recommender {
    /// One that has learned nothing yet and knows `titles`.
    pub fn new(
        settings: AggregateSettings,
        ranking: RankingSettings,
        solved_titles: usize,
        titles: Vec<Title>,
    ) -> Self {
        let mut catalogue = Catalogue::default();
        titles.into_iter().for_each(|title| catalogue.put(title));
        Self {
            aggregates: Aggregates::new(1, settings),
            catalogue,
            plays: 0,
            ranking,
            solved_titles,
            learned: Learned::default(),
            solve_at: 1,
            expected_plays: 0,
        }
    }

    /// The replay will come to so many plays: what solving takes is kept in proportion to it.
    pub fn expect(&mut self, plays: u64) {
        self.expected_plays = plays;
    }

    /// Learns a delta.
    pub fn learn(&mut self, delta: &Delta) {
        self.aggregates.add(delta);
        self.plays += delta.cells.iter().map(|cell| u64::from(cell.counts.plays)).sum::<u64>();
    }

    /// The titles recommended to a member; `None`: somebody nothing is known of.
    pub fn recommend(&self, member: Option<&MemberSnapshot>, query: &Query<'_>) -> Vec<Ranked> {
        rank(&self.aggregates, &self.catalogue, member, &self.complete(query))
    }

    /// The same without titles that the member has seen, unless settings have all of them offered again.
    pub fn recommend_unseen(&self, member: Option<&MemberSnapshot>, query: &Query<'_>) -> Vec<Ranked> {
        let repeats = match self.ranking.repeats {
            Repeats::Learned => Repeats::Never,
            as_set => as_set,
        };
        let settings = RankingSettings { repeats, ..self.ranking };
        let query = Query { settings: Some(&settings), learned: Some(&self.learned), ..query.clone() };
        rank(&self.aggregates, &self.catalogue, member, &query)
    }

    /// Whether titles that a member has seen may be recommended.
    pub fn may_repeat(&self) -> bool {
        match self.ranking.repeats {
            Repeats::Never => false,
            Repeats::Learned => self.learned.tuning.returning.is_some(),
            Repeats::Always => true,
        }
    }

    /// The score that each of `titles`, shown together, has for a member.
    pub fn score(
        &self,
        member: Option<&MemberSnapshot>,
        query: &Query<'_>,
        titles: &[&str],
        now_ms: i64,
    ) -> Vec<f64> {
        score_given(&self.aggregates, &self.catalogue, member, &self.complete(query), titles, now_ms).0
    }

    /// What decides between titles that are shown together, as it was learned last.
    pub fn appeal(&self) -> &Appeal {
        &self.learned.appeal
    }

    fn complete<'a>(&'a self, query: &Query<'a>) -> Query<'a> {
        Query { settings: Some(&self.ranking), learned: Some(&self.learned), ..query.clone() }
    }

    /// Solves the ranking's weights anew where enough was learned since the last time. A node that serves
    /// does so every few seconds to minutes, by how long it takes; a replay, which has no such time, by how much
    /// there is to do: the more titles are solved, the more plays it takes.
    pub fn refresh(&mut self) {
        if self.plays < self.solve_at {
            self.learned.catch_up(&self.aggregates);
            return;
        }
        self.learned = Learned::after(&self.learned, &self.aggregates, &self.catalogue, self.solved_titles);
        let cost = (self.learned.associations.titles().len() as f64 / COSTLY_TITLES).powi(3);
        let grown = (self.plays as f64 * SOLVE_GROWTH) as u64;
        let paid = self.plays + (cost * self.expected_plays as f64 / MOST_SOLVES) as u64;
        self.solve_at = grown.max(paid).max(self.plays + 1);
    }

    /// The ranking's weights as they were chosen last.
    pub fn tuning(&self) -> &Tuning {
        &self.learned.tuning
    }

    /// Distinct titles known: played or shown at least once.
    pub fn titles(&self) -> usize {
        self.aggregates.title_count()
    }

    /// Plays of a title so far.
    pub fn plays(&self, title: &str) -> u64 {
        self.aggregates.title(title).map_or(0, |title| self.aggregates.plays(title))
    }

    /// How little known a title is: −log2 of its share of all plays so far, in bits. A title that was
    /// never played counts as played once.
    pub fn self_information_bits(&self, title: &Arc<str>) -> f64 {
        let plays = self.aggregates.title(title).map_or(0, |title| self.aggregates.plays(title)).max(1);
        -(plays as f64 / self.plays.max(plays) as f64).log2()
    }
}
