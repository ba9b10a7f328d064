//! The choice: one weight is moved after the other, as long as what was played is found higher.

mod scores;

use super::{
    Choice, DEFAULT_CHOICE, DEFAULT_WEIGHING, DIRECT_SHARES, Examination, GROUPS, GroupTuning,
    LEAST_EXAMPLES, NEWCOMERS_CHOICE, REGULARISATIONS, Tuning, WEIGHTS,
};
use crate::associations::Weighing;
use scores::Scores;

/// Examples of a group from which on it chooses for itself.
const LEAST_OF_GROUP: usize = 30;
/// Standard errors that a gain must exceed: of the first choice, for all groups together, and of later ones.
const FIRST_DOUBT: f64 = 0.25;
const DOUBT: f64 = 1.0;

pub(super) fn tune(examination: &Examination, before: &Tuning) -> Tuning {
    if examination.examples.len() < LEAST_EXAMPLES {
        let mut tuning = before.clone();
        // Where almost all plays are repeats there is little to choose weights by, but enough to place repeats by.
        if examination.examples.len() + examination.repeats.len() >= LEAST_EXAMPLES {
            tuning.returning = Scores::new(examination).returning(before.places, &before.choices);
            tuning.plays = examination.plays;
        }
        return tuning;
    }
    let is_first = before.groups.is_empty();
    let mut descent =
        Descent { scores: Scores::new(examination), places: before.places, choices: before.choices };
    let all: Vec<usize> = (0..GROUPS.len()).collect();
    if is_first {
        for _ in 0..2 {
            descent.choose_weighing(FIRST_DOUBT);
            (0..WEIGHTS).for_each(|weight| descent.choose(&all[1..], weight, FIRST_DOUBT));
        }
        descent.begin_with_newcomers();
    }
    descent.choose_weighing(DOUBT);
    for group in all {
        if descent.scores.examples_of(group) >= LEAST_OF_GROUP {
            (0..WEIGHTS).for_each(|weight| descent.choose(&[group], weight, DOUBT));
        }
    }
    descent.tuning(examination.plays)
}

/// Weights as they are chosen so far.
struct Descent<'a> {
    scores: Scores<'a>,
    places: (usize, usize),
    choices: [Choice; GROUPS.len()],
}

impl Descent<'_> {
    fn gains(&mut self, groups: &[usize], places: (usize, usize), choices: &[Choice]) -> Vec<f32> {
        let of_group = |group: &usize| self.scores.gains(*group, places, choices[*group]);
        groups.iter().flat_map(of_group).collect()
    }

    /// What the choice for members who played nothing begins with: the better of both defaults.
    fn begin_with_newcomers(&mut self) {
        let is_known = self.scores.examples_of(0) >= LEAST_OF_GROUP;
        let mut gain = |choice| mean(&self.scores.gains(0, self.places, choice));
        if !is_known || gain(NEWCOMERS_CHOICE) > gain(DEFAULT_CHOICE) {
            self.choices[0] = NEWCOMERS_CHOICE;
        }
    }

    /// Moves one weight of `groups`, of all alike.
    fn choose(&mut self, groups: &[usize], weight: usize, doubt: f64) {
        let (places, mut best) = (self.places, self.choices);
        let mut gains = self.gains(groups, places, &best);
        for direction in [1, -1] {
            // Two steps at once, too: over a value that makes no difference.
            while let Some((choices, gained)) = [direction, 2 * direction].into_iter().find_map(|by| {
                let mut choices = best;
                let mut is_moved = false;
                for group in groups {
                    if let Some(moved) = choices[*group].moved(weight, by) {
                        choices[*group] = moved;
                        is_moved = true;
                    }
                }
                let gained = is_moved.then(|| self.gains(groups, places, &choices))?;
                is_better(&gains, &gained, doubt).then_some((choices, gained))
            }) {
                (best, gains) = (choices, gained);
            }
        }
        self.choices = best;
    }

    /// Chooses how weights between titles are made.
    fn choose_weighing(&mut self, doubt: f64) {
        let all: Vec<usize> = (0..GROUPS.len()).collect();
        let choices = self.choices;
        let mut gains = self.gains(&all, self.places, &choices);
        for regularisation in 0..REGULARISATIONS.len() {
            for share in 0..DIRECT_SHARES.len() {
                let gained = self.gains(&all, (regularisation, share), &choices);
                if is_better(&gains, &gained, doubt) {
                    (self.places, gains) = ((regularisation, share), gained);
                }
            }
        }
    }

    fn tuning(mut self, plays: u64) -> Tuning {
        let (places, choices) = (self.places, self.choices);
        let groups = GROUPS.iter().enumerate().map(|(group, from_plays)| GroupTuning {
            from_plays: *from_plays,
            probes: self.scores.examples_of(group),
            gain: mean(&self.scores.gains(group, places, choices[group])),
            gain_of_defaults: mean(&self.scores.gains(group, DEFAULT_WEIGHING, DEFAULT_CHOICE)),
            weights: choices[group].values(),
        });
        let groups = groups.collect();
        let returning = self.scores.returning(places, &choices);
        let weighing =
            Weighing { regularisation: REGULARISATIONS[places.0], direct_share: DIRECT_SHARES[places.1] };
        Tuning { weighing, groups, returning, places, choices, plays }
    }
}

/// Whether `gained` is more than `gains`, example by example, by so many standard errors.
fn is_better(gains: &[f32], gained: &[f32], doubt: f64) -> bool {
    let differences =
        || gains.iter().zip(gained).map(|(before, after)| f64::from(*after) - f64::from(*before));
    let count = gains.len().max(1) as f64;
    let mean = differences().sum::<f64>() / count;
    let squares: f64 = differences().map(|difference| (difference - mean).powi(2)).sum();
    mean > 0.0 && mean > doubt * squares.sqrt() / count
}

fn mean(gains: &[f32]) -> f64 {
    gains.iter().map(|gain| f64::from(*gain)).sum::<f64>() / gains.len().max(1) as f64
}
