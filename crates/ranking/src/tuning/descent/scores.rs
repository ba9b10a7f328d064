//! What examples are worth under some weights: the row's score of every title, as [`crate::row`] has it,
//! without lifts and opinions.

use super::super::examination::{Examination, Example};
use super::super::returning::{REFERENCE_RANK, ReturnEvidence, Returning};
use super::super::{Choice, DAMPINGS, DIRECT_SHARES, GROUPS, REGULARISATIONS, STEPS};
use crate::give_way::worked;
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
        let associated = Rc::new(self.associated_of(&self.groups[group], &solved, step));
        if self.associated.len() >= MOST_HELD {
            self.associated.clear();
        }
        self.associated.insert(key, associated.clone());
        associated
    }

    fn associated_of(&self, examples: &[&Example], solved: &Array2<f32>, step: usize) -> Associated {
        let sum = |weights: &Array2<f32>| {
            let mut sums = Array2::<f32>::zeros((examples.len(), weights.ncols()));
            for (mut row, example) in sums.rows_mut().into_iter().zip(examples) {
                for (source, steps) in &example.sources {
                    let weight = (STEPS[step] as f32).powi(*steps);
                    if weight >= LEAST_WEIGHT {
                        row.scaled_add(weight, &weights.row(*source));
                    }
                }
                worked(example.sources.len() * weights.ncols() / 4);
            }
            sums
        };
        Associated { solved: sum(solved), direct: sum(&self.direct) }
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
        let beginning = self.after_beginning(&solved, share);
        let mut gains = Vec::with_capacity(self.groups[group].len());
        self.each(&self.groups[group], &associated, &beginning, share, choice, |example, scores| {
            gains.push(SOFT / (SOFT - 1.0 + rank(example, scores)));
        });
        gains
    }

    /// What the beginning speaks for each title.
    fn after_beginning(&self, solved: &Array2<f32>, share: usize) -> Vec<f32> {
        let share = DIRECT_SHARES[share] as f32;
        let blend = |solved: f32, direct: f32| solved + share * (direct - solved);
        match self.examination.beginning {
            Some(at) => solved.row(at).iter().zip(self.direct.row(at)).map(|(a, b)| blend(*a, *b)).collect(),
            None => vec![0.0; solved.ncols()],
        }
    }

    /// Calls `then` with each example and its scores of all titles.
    fn each(
        &self,
        examples: &[&Example],
        associated: &Associated,
        beginning: &[f32],
        share: usize,
        choice: Choice,
        mut then: impl FnMut(&Example, &[f32]),
    ) {
        let share = DIRECT_SHARES[share] as f32;
        let rows = associated.solved.rows().into_iter().zip(associated.direct.rows());
        let mut scores = vec![0.0; self.examination.ranked()];
        for (example, (solved, direct)) in examples.iter().zip(rows) {
            self.score(example, (solved, direct), beginning, share, choice, &mut scores);
            then(example, &scores);
            worked(2 * scores.len());
        }
    }

    /// What titles played before are held against under what was chosen; `None` where members came back to none.
    pub fn returning(
        &mut self,
        (regularisation, share): (usize, usize),
        choices: &[Choice; GROUPS.len()],
    ) -> Option<Returning> {
        let examination = self.examination;
        if examination.chances.is_empty() {
            return None;
        }
        let mut evidence = ReturnEvidence::default();
        let solved = self.solved(regularisation);
        let beginning = self.after_beginning(&solved, share);
        for (group, choice) in choices.iter().enumerate() {
            for is_repeat in [false, true] {
                let all = if is_repeat { &examination.repeats } else { &examination.examples };
                let examples: Vec<&Example> = all.iter().filter(|example| example.group == group).collect();
                let associated = self.associated_of(&examples, &solved, choice.step);
                self.each(&examples, &associated, &beginning, share, *choice, |example, scores| {
                    if !is_repeat {
                        evidence.placed(group, Some(rank(example, scores).round() as usize));
                    }
                    expose(example, scores, &examination.chances, is_repeat, &mut evidence);
                });
            }
            (0..examination.unranked[group]).for_each(|_| evidence.placed(group, None));
        }
        Some(evidence.learned())
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
        if let Some(leans) = example.leans.as_ref().filter(|_| values.taste > 0.0) {
            let factors = leans.factors(values.taste);
            let sets = &self.examination.sets;
            scores.iter_mut().zip(sets).for_each(|(score, set)| *score *= factors[usize::from(*set)] as f32);
        }
    }
}

/// Tells of the titles played before, how they scored and what was come back to.
fn expose(
    example: &Example,
    scores: &[f32],
    chances: &[f64],
    is_repeat: bool,
    evidence: &mut ReturnEvidence,
) {
    let mut others: Vec<f32> = scores.to_vec();
    example.sources.iter().for_each(|(source, _)| {
        if let Some(score) = others.get_mut(*source) {
            *score = f32::NEG_INFINITY;
        }
    });
    if others.len() < REFERENCE_RANK {
        return;
    }
    let (_, reference, _) = others.select_nth_unstable_by(REFERENCE_RANK - 1, |a, b| b.total_cmp(a));
    let reference = f64::from(reference.max(0.0));
    for (source, step) in &example.sources {
        if let (Some(score), Some(chance)) = (scores.get(*source), chances.get(*step as usize)) {
            let is_next = is_repeat && *source == example.target;
            evidence.exposed(f64::from(*score), reference, *chance, is_next);
        }
    }
}

/// The rank of the title played, from 1, among those not played before; others with its score count half.
fn rank(example: &Example, scores: &[f32]) -> f32 {
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
    (above - played + 0.5).max(1.0)
}
