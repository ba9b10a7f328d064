//! Factors: what titles' scores are multiplied by, raised to the powers of the settings beforehand.
//!
//! Powers cost more than everything else that a title's score is made of. Lifts are those of
//! [`Learned`](crate::Learned) and are raised title by title. Plays go on while titles are ranked, so
//! damping is raised by number of plays, which makes it that of the plays of the moment, to 14 bits.

use crate::settings::RankingSettings;
use nearline_model::aggregates::block_maxima::{BLOCK, BlockMaxima};
use nearline_model::symbols::Symbol;
use std::sync::{Arc, PoisonError, RwLock};

/// Bits of a number of plays that damping tells apart: it is exact up to 16,384 plays, and within 1 part in 8,192 beyond, so
/// that the powers raised beforehand grow with the logarithm of the plays only.
const BITS: u32 = 14;
/// Settings that factors are held for: the ranking's own, and variants of experiments.
const MOST_SETTINGS: usize = 32;

/// Factors under some settings.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    settings: RankingSettings,
    /// By [`step_of`] the number of plays.
    damping: Vec<f64>,
    /// By title number; what is not in it has 1.
    lifts: Vec<f64>,
    lift_maxima: BlockMaxima,
    damping_maxima: BlockMaxima,
    /// Of the titles solved, by place: the lift.
    solved_lifts: Vec<f64>,
    /// The same: what damping is at most, which is what it was.
    most_solved_damping: Vec<f64>,
}

impl Factors {
    /// Factors of titles with these lifts, and damping for plays up to those of the title played most.
    /// The maxima of blocks are of those that are not `solved`.
    fn of(settings: &RankingSettings, lifts: &[f32], plays: &[u64], solved: &[Symbol]) -> Self {
        let mut are_searched = vec![true; lifts.len().max(plays.len())];
        for title in solved {
            if let Some(is_searched) = are_searched.get_mut(title.index()) {
                *is_searched = false;
            }
        }
        let most = plays.iter().copied().max().unwrap_or_default();
        let last = step_of(most.saturating_mul(2).saturating_add(1));
        let damping = (0..=last).map(|step| damping(settings, plays_of(step))).collect();
        let lifts: Vec<f64> = lifts.iter().map(|lift| raised(settings, f64::from(*lift))).collect();
        let searched_lifts =
            lifts.iter().zip(&are_searched).map(|(lift, is_searched)| if *is_searched { *lift } else { 0.0 });
        let lift_maxima = BlockMaxima::of(searched_lifts, 1.0);
        let mut factors = Self { settings: *settings, damping, lifts, lift_maxima, ..Self::default() };
        let searched_damping = plays
            .iter()
            .zip(&are_searched)
            .map(|(plays, is_searched)| if *is_searched { factors.damping(*plays) } else { 0.0 });
        factors.damping_maxima = BlockMaxima::of(searched_damping, factors.damping(0));
        let plays_of = |title: &Symbol| plays.get(title.index()).copied().unwrap_or_default();
        factors.most_solved_damping = solved.iter().map(|title| factors.damping(plays_of(title))).collect();
        factors.solved_lifts = solved.iter().map(|title| factors.lift(title.index())).collect();
        factors
    }

    /// Factors of titles whose lifts are all 1, raised when they are asked for.
    pub fn unprepared(settings: &RankingSettings) -> Self {
        Self { settings: *settings, ..Self::default() }
    }

    /// What associations with a title of so many plays are multiplied by.
    pub fn damping(&self, plays: u64) -> f64 {
        let step = step_of(plays);
        self.damping.get(step).copied().unwrap_or_else(|| damping(&self.settings, plays_of(step)))
    }

    /// How much more a title is taken where it is offered than others are, to the power of the settings.
    pub fn lift(&self, title: usize) -> f64 {
        self.lifts.get(title).copied().unwrap_or(1.0)
    }

    /// [`Self::lift`] of the titles of a block, in their order; those that are missing have 1.
    pub fn lifts_of_block(&self, block: usize) -> &[f64] {
        let (first, last) = (block * BLOCK, self.lifts.len().min((block + 1) * BLOCK));
        self.lifts.get(first..last).unwrap_or_default()
    }

    /// What [`Self::damping`] is at most for the titles of each of 64 blocks that are searched: plays only grow.
    pub fn most_damping_of_blocks(&self, first: usize) -> [f64; BLOCK] {
        self.damping_maxima.of_blocks(first, self.damping(0))
    }

    /// What [`Self::lift`] is at most for the titles of each of 64 blocks that are searched.
    pub fn most_lift_of_blocks(&self, first: usize) -> [f64; BLOCK] {
        self.lift_maxima.of_blocks(first, 1.0)
    }

    /// [`Self::lift`] of the titles solved, by their place.
    pub fn solved_lifts(&self) -> &[f64] {
        &self.solved_lifts
    }

    /// What [`Self::damping`] is at most for the titles solved, by their place: plays only grow.
    pub fn most_solved_damping(&self) -> &[f64] {
        &self.most_solved_damping
    }

    fn are_of(&self, settings: &RankingSettings) -> bool {
        let key = |of: &RankingSettings| (of.damping_power, of.damping_plays, of.lift_power);
        key(&self.settings) == key(settings)
    }
}

/// Numbers of plays in steps that grow with them: every number of up to [`BITS`] bits, then those that differ in their first so
/// many.
fn step_of(plays: u64) -> usize {
    let shift = (u64::BITS - plays.leading_zeros()).saturating_sub(BITS);
    let first_bits = (plays >> shift) as usize;
    first_bits + ((shift as usize) << (BITS - 1))
}

/// The least number of plays of a step.
fn plays_of(step: usize) -> u64 {
    let shift = (step >> (BITS - 1)).saturating_sub(1);
    ((step - (shift << (BITS - 1))) as u64) << shift
}

fn damping(settings: &RankingSettings, plays: u64) -> f64 {
    (plays as f64 + settings.damping_plays).powf(-settings.damping_power)
}

fn raised(settings: &RankingSettings, lift: f64) -> f64 {
    if settings.lift_power == 1.0 { lift } else { lift.powf(settings.lift_power) }
}

/// Factors of the same lifts and plays under all settings that were asked for.
#[derive(Debug, Default)]
pub(crate) struct FactorTable {
    /// Take-rate lift by title number; what is not in it has 1.
    lifts: Vec<f32>,
    /// Plays by title number, as they were.
    plays: Vec<u64>,
    held: RwLock<Vec<Arc<Factors>>>,
}

impl FactorTable {
    pub fn new(lifts: Vec<f32>, plays: Vec<u64>) -> Self {
        Self { lifts, plays, held: RwLock::default() }
    }

    /// Those under `settings`, with these titles `solved`: worked out at the first call with them.
    pub fn under(&self, settings: &RankingSettings, solved: &[Symbol]) -> Arc<Factors> {
        let find = |held: &[Arc<Factors>]| held.iter().find(|held| held.are_of(settings)).cloned();
        // Nothing panics while it is held, and what is in it is whole at all times.
        let known = find(&self.held.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(known) = known {
            return known;
        }
        let factors = Arc::new(Factors::of(settings, &self.lifts, &self.plays, solved));
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have been as quick.
        if find(&held).is_none() {
            if held.len() >= MOST_SETTINGS {
                held.remove(0);
            }
            held.push(factors.clone());
        }
        factors
    }

    /// All settings that were asked for.
    pub fn settings(&self) -> Vec<RankingSettings> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.iter().map(|factors| factors.settings).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of plays around every power of 2.
    fn plays() -> impl Iterator<Item = u64> {
        (0..u64::BITS)
            .flat_map(|bits| (0..100).map(move |at| (1_u64 << bits).saturating_add(at * 7919) - at % 2))
    }

    #[test]
    fn steps_of_plays_are_exact_for_few_and_close_for_many_and_keep_their_order() {
        let mut steps: Vec<(u64, usize)> = plays().map(|plays| (plays, step_of(plays))).collect();
        for (plays, step) in &steps {
            let least = plays_of(*step);
            assert_eq!(step_of(least), *step, "{plays}");
            assert!(least <= *plays && plays - least <= plays >> (BITS - 1), "{plays} stands for {least}");
            assert!(*plays >= 1 << BITS || least == *plays, "{plays} is exact");
        }
        steps.sort_unstable();
        assert!(steps.is_sorted_by_key(|(_, step)| *step));
        for step in 1..200_000 {
            assert!(plays_of(step - 1) < plays_of(step), "{step}");
            assert_eq!(step_of(plays_of(step) - 1), step - 1);
        }
    }

    #[test]
    fn damping_is_the_same_whether_it_was_raised_beforehand_or_not() {
        let settings = RankingSettings::default();
        let raised = Factors::of(&settings, &[], &[3_000_000_000], &[]);
        let unprepared = Factors::unprepared(&settings);
        for plays in plays().filter(|plays| *plays < 6_000_000_000) {
            assert!(step_of(plays) < raised.damping.len());
            assert_eq!(raised.damping(plays), unprepared.damping(plays), "{plays}");
        }
        assert!(raised.damping.len() < 200_000, "{} powers", raised.damping.len());
    }
}
