//! What examples are worth under some weights: the row's score of every title, as [`crate::row`] has it,
//! without lifts and opinions.

use super::super::examination::{Examination, Example};
use super::super::{Choice, DAMPINGS, DIRECT_SHARES, GROUPS, REGULARISATIONS, STEPS};
use crate::settings::RankingSettings;
use hashbrown::HashMap;
use ndarray::{Array2, ArrayView1};
use std::rc::Rc;

/// What a title of the history must still count for.
const LEAST_WEIGHT: f32 = 0.01;
/// Gain of rank *r*: `SOFT / (SOFT − 1 + r)`. A hit among the first ten, told softly: ranks beyond still count.
const SOFT: f32 = 10.0;
/// Sums of histories held at most, of one group each.
const MOST_HELD: usize = 64;

/// What histories of a group speak for each title, by example: solved and direct.
struct Associated {
    solved: Array2<f32>,
    direct: Array2<f32>,
}

/// Worth of examples under weights.
pub(super) struct Scores<'a> {
    examination: &'a Examination,
    groups: [Vec<&'a Example>; GROUPS.len()],
    direct: Array2<f32>,
    solved: [Option<Rc<Array2<f32>>>; REGULARISATIONS.len()],
    dampings: Vec<Vec<f32>>,
    /// By group, regularisation and step.
    associated: HashMap<(usize, usize, usize), Rc<Associated>>,
}

impl<'a> Scores<'a> {
    pub fn new(examination: &'a Examination) -> Self {
        let of_group = |group| examination.examples.iter().filter(|example| example.group == group).collect();
        let added = RankingSettings::default().damping_plays;
        let damping = |power: &f64| {
            let plays = examination.sums.occurrences.iter();
            plays.map(|plays| (*plays as f64 + added).powf(-power) as f32).collect()
        };
        Self {
            examination,
            groups: std::array::from_fn(of_group),
            direct: examination.sums.direct(),
            solved: Default::default(),
            dampings: DAMPINGS.iter().map(damping).collect(),
            associated: HashMap::new(),
        }
    }

    pub fn examples_of(&self, group: usize) -> usize {
        self.groups[group].len()
    }

    fn solved(&mut self, regularisation: usize) -> Rc<Array2<f32>> {
        let sums = &self.examination.sums;
        self.solved[regularisation]
            .get_or_insert_with(|| Rc::new(sums.solved(REGULARISATIONS[regularisation]).weights))
            .clone()
    }

    fn associated(&mut self, group: usize, regularisation: usize, step: usize) -> Rc<Associated> {
        let key = (group, regularisation, step);
        if let Some(known) = self.associated.get(&key) {
            return known.clone();
        }
        let solved = self.solved(regularisation);
        let examples = &self.groups[group];
        let sum = |weights: &Array2<f32>| {
            let mut sums = Array2::<f32>::zeros((examples.len(), weights.ncols()));
            for (mut row, example) in sums.rows_mut().into_iter().zip(examples) {
                for (source, steps) in &example.sources {
                    let weight = (STEPS[step] as f32).powi(*steps);
                    if weight >= LEAST_WEIGHT {
                        row.scaled_add(weight, &weights.row(*source));
                    }
                }
            }
            sums
        };
        let associated = Rc::new(Associated { solved: sum(&solved), direct: sum(&self.direct) });
        if self.associated.len() >= MOST_HELD {
            self.associated.clear();
        }
        self.associated.insert(key, associated.clone());
        associated
    }

    /// The gain of each example of a group.
    pub fn gains(
        &mut self,
        group: usize,
        (regularisation, share): (usize, usize),
        choice: Choice,
    ) -> Vec<f32> {
        let associated = self.associated(group, regularisation, choice.step);
        let solved = self.solved(regularisation);
        let share = DIRECT_SHARES[share] as f32;
        let blend = |solved: f32, direct: f32| solved + share * (direct - solved);
        let beginning: Vec<f32> = match self.examination.beginning {
            Some(at) => solved.row(at).iter().zip(self.direct.row(at)).map(|(a, b)| blend(*a, *b)).collect(),
            None => vec![0.0; solved.ncols()],
        };
        let rows = associated.solved.rows().into_iter().zip(associated.direct.rows());
        let mut scores = vec![0.0; self.examination.ranked()];
        let examples = self.groups[group].iter().zip(rows);
        examples
            .map(|(example, (solved, direct))| {
                self.score(example, (solved, direct), &beginning, share, choice, &mut scores);
                gain(example, &scores)
            })
            .collect()
    }

    fn score(
        &self,
        example: &Example,
        (solved, direct): (ArrayView1<'_, f32>, ArrayView1<'_, f32>),
        beginning: &[f32],
        share: f32,
        choice: Choice,
        scores: &mut [f32],
    ) {
        let values = choice.values();
        let begun = example.beginning.map_or(0.0, |steps| (values.step as f32).powi(steps));
        let begun = if begun >= LEAST_WEIGHT { begun * values.beginning as f32 } else { 0.0 };
        let damping = &self.dampings[choice.damping];
        let [popularity, first] = &self.examination.popularities[example.popularity].scores;
        let opening = values.opening as f32;
        let shares = [1.0 - opening, opening];
        let (popular, trending) = (values.popularity as f32, values.trend as f32);
        let terms = solved.iter().zip(direct).zip(beginning).zip(damping.iter().zip(popularity));
        for (score, (((solved, direct), beginning), (damping, popularity))) in scores.iter_mut().zip(terms) {
            let sum = solved + share * (direct - solved) + begun * beginning;
            *score = sum.max(0.0) * damping + popular * shares[0] * popularity;
        }
        let trends = example.trend.map(|trend| &self.examination.trends[trend].scores);
        let trends =
            trends.into_iter().flatten().zip(shares).map(|(scores, share)| (scores, trending * share));
        for (added, weight) in trends.chain([(first, popular * opening)]).filter(|(_, weight)| *weight > 0.0)
        {
            scores.iter_mut().zip(added).for_each(|(score, added)| *score += weight * added);
        }
        for (share, (own, scored)) in
            shares.iter().zip(example.own_popularity.iter().zip([popularity, first]))
        {
            scores[example.target] -= popular * share * own.min(scored[example.target]);
        }
    }
}

/// What it is worth that the title played stands where it does, among those not played before.
fn gain(example: &Example, scores: &[f32]) -> f32 {
    let own = scores[example.target];
    let place = |score: f32| {
        if score > own {
            1.0
        } else if score == own {
            0.5
        } else {
            0.0
        }
    };
    let above: f32 = scores.iter().map(|score| place(*score)).sum();
    let played: f32 =
        example.sources.iter().map(|(source, _)| scores.get(*source).map_or(0.0, |s| place(*s))).sum();
    // The title itself is half above itself.
    SOFT / (SOFT + above - played - 0.5)
}
