//! What answers need beside the sums and is worked out from them now and then, off the path of queries:
//! weights between titles, newcomers, titles to explore, damping and take-rate lifts, and how much each place is looked at.

use crate::appeal::Appeal;
use crate::associations::{Associations, Problem};
use crate::exploration::Explorable;
use crate::factors::{FactorTable, Factors};
use crate::lift::Lifts;
use crate::newcomers::{LittlePlayed, Newcomers};
use crate::position_bias::PositionBias;
use crate::settings::RankingSettings;
use crate::taste::Genres;
use crate::tuning::{Examination, Tuning};
use nearline_model::Aggregates;
use nearline_model::catalogue::Catalogue;
use nearline_model::symbols::Symbol;
use std::sync::Arc;

/// What is worked out from the sums and the catalogue now and then, off the path of queries.
#[derive(Debug, Default)]
pub struct Learned {
    /// Weights between titles.
    pub associations: Associations,
    /// Titles that hardly anybody has played yet.
    pub newcomers: Newcomers,
    /// Titles that places are given to so that it is found out who likes them.
    pub explorable: Explorable,
    /// How much each place is looked at.
    pub position_bias: PositionBias,
    /// Genres of titles.
    pub genres: Genres,
    /// Weights of the ranking, as they were chosen.
    pub tuning: Tuning,
    /// What decides between titles that are shown together.
    pub appeal: Appeal,
    /// Damping and take-rate lifts, raised to their powers.
    factors: FactorTable,
}

/// How often titles were played, as taken from the sums: nobody who adds to them is kept waiting for what follows from it.
pub struct CountedTitles {
    titles: usize,
    /// By title number.
    plays: Vec<u64>,
}

impl CountedTitles {
    /// As they are now.
    pub fn of(aggregates: &Aggregates) -> Self {
        Self { titles: aggregates.title_count(), plays: aggregates.all_plays().to_vec() }
    }
}

impl Learned {
    /// Of the sums and the catalogue as they are, with weights between the `most` titles played most.
    pub fn of(aggregates: &Aggregates, catalogue: &Catalogue, most: usize) -> Self {
        Self::after(&Self::default(), aggregates, catalogue, most)
    }

    /// The same with weights of the ranking that were chosen before: none is chosen anew, however much there is to choose by.
    pub fn tuned(tuning: Tuning, aggregates: &Aggregates, catalogue: &Catalogue, most: usize) -> Self {
        Self::made_of(Problem::of(aggregates, most), aggregates, catalogue, (tuning, &Appeal::default()))
    }

    /// The same, on top of what was learned `before`: weights of the ranking that were chosen, contests.
    pub fn after(before: &Self, aggregates: &Aggregates, catalogue: &Catalogue, most: usize) -> Self {
        let problem = Problem::of(aggregates, most);
        let tuning = match before.tuning.is_due(aggregates) {
            true => before.tuning.chosen_by(&Examination::of(&problem, aggregates, catalogue)),
            false => before.tuning.clone(),
        };
        Self::made_of(problem, aggregates, catalogue, (tuning, &before.appeal))
    }

    fn made_of(
        problem: Problem,
        aggregates: &Aggregates,
        catalogue: &Catalogue,
        (tuning, appeal): (Tuning, &Appeal),
    ) -> Self {
        let mut lifts = Lifts::new(PositionBias::of(aggregates));
        while lifts.look(aggregates) {}
        let associations = problem.solve(tuning.weighing);
        let genres = Genres::of(aggregates, catalogue);
        let little = LittlePlayed::of(aggregates, catalogue);
        let appeal = Appeal::after(appeal, aggregates, &associations, &genres);
        Self::solved(CountedTitles::of(aggregates), &little, associations, (&lifts, genres), (tuning, appeal))
    }

    /// Whether newcomers and titles to explore are those of the sums and the catalogue as they are.
    pub fn is_of_titles(&self, aggregates: &Aggregates, catalogue: &Catalogue) -> bool {
        let little = LittlePlayed::of(aggregates, catalogue);
        let ids = |explorable: &Explorable| -> Vec<Arc<str>> {
            explorable.titles.iter().map(|title| title.id.clone()).collect()
        };
        let newcomers = Newcomers::among(&little);
        let titles = |newcomers: &Newcomers| -> Vec<(Arc<str>, f64, usize)> {
            newcomers.titles.iter().map(|title| (title.id.clone(), title.newness, title.genres)).collect()
        };
        self.newcomers.genres == newcomers.genres
            && titles(&self.newcomers) == titles(&newcomers)
            && ids(&self.explorable) == ids(&Explorable::among(&little, |_| 1.0))
    }

    /// Learns from the contests that are new, and leaves all else.
    pub fn catch_up(&mut self, aggregates: &Aggregates) {
        self.appeal = Appeal::after(&self.appeal, aggregates, &self.associations, &self.genres);
    }

    /// The same with weights that were solved and chosen already, titles played little, lifts and genres, all of the same sums.
    pub fn solved(
        counted: CountedTitles,
        little: &LittlePlayed,
        associations: Associations,
        (lifts, genres): (&Lifts, Genres),
        (tuning, appeal): (Tuning, Appeal),
    ) -> Self {
        let mut by_title = vec![1.0; counted.titles + 1];
        for (title, lift) in lifts.of_titles() {
            by_title[title.index()] = lift as f32;
        }
        let lift = |title: Symbol| by_title.get(title.index()).map_or(1.0, |lift| f64::from(*lift));
        let explorable = Explorable::among(little, lift);
        let factors = FactorTable::new(by_title, counted.plays);
        let position_bias = lifts.position_bias();
        let newcomers = Newcomers::among(little);
        Self { associations, newcomers, explorable, genres, position_bias, tuning, appeal, factors }
    }

    /// Works out at once what queries with the same settings as those of `before` will ask for; otherwise
    /// the first of them does.
    pub fn prepare_as(&self, before: &Self) {
        for settings in before.factors.settings() {
            self.factors(&settings);
        }
    }

    pub(crate) fn factors(&self, settings: &RankingSettings) -> Arc<Factors> {
        self.factors.under(settings, self.associations.titles())
    }
}
