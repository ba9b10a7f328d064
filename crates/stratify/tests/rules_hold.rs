//! For each kind of rule, on data and rules made up at random: what the plan says is so.

use nearline_stratify::rules::{Distribution, Limits, RareAction};
use nearline_stratify::select::{IdHasher, smallest};
use nearline_stratify::{Census, Outcome, Plan, Rules};
use proptest::prelude::*;

fn census(rows: &[u64], levels: &[usize]) -> Census {
    let keys: Vec<String> = (0..levels.len()).map(|key| format!("k{key}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let cells = rows.iter().enumerate().map(|(cell, rows)| {
        let mut left = cell;
        let place = levels.iter().map(|count| {
            let level = left % count;
            left /= count;
            format!("l{level}")
        });
        (place.collect::<Vec<_>>(), *rows)
    });
    Census::count(&keys, cells)
}

fn shares(weights: &[u32]) -> Vec<(String, f64)> {
    let sum: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
    weights
        .iter()
        .enumerate()
        .map(|(level, weight)| (format!("l{level}"), f64::from(*weight) / sum))
        .collect()
}

fn with_shares(rules: Rules, key: &str, weights: &[u32]) -> Rules {
    let shares = shares(weights);
    let shares: Vec<(&str, f64)> = shares.iter().map(|(level, share)| (level.as_str(), *share)).collect();
    rules.shares(key, &shares)
}

/// What must be so of every plan.
fn honest(plan: &Plan) -> Result<(), TestCaseError> {
    for stratum in &plan.strata {
        prop_assert!(stratum.take <= stratum.available && stratum.target <= stratum.available as f64 + 1e-6);
        prop_assert!(stratum.target >= -1e-9);
    }
    match plan.outcome {
        Outcome::Exact => prop_assert!(plan.largest_deviation <= 1e-6 && plan.conflicts.is_empty()),
        Outcome::RoundedWithinOne => prop_assert!(plan.largest_deviation < 1.0 && plan.conflicts.is_empty()),
        Outcome::Closest => {
            prop_assert!(plan.largest_deviation > 0.9 || !plan.conflicts.is_empty(), "{:?}", plan)
        }
        Outcome::Refused => prop_assert!(plan.size == 0 && !plan.conflicts.is_empty()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_exact_size_is_exact(rows in prop::collection::vec(0_u64..50, 12), size in 0_u64..300) {
        let census = census(&rows, &[3, 4]);
        prop_assume!(!census.is_empty());
        let plan = Plan::new(&Rules::new("id", &["k0", "k1"]).exactly(size), &census).unwrap();
        honest(&plan)?;
        if size <= census.total() {
            prop_assert_eq!(plan.size, size);
        } else {
            prop_assert_eq!(plan.outcome, Outcome::Refused);
            prop_assert_eq!(plan.sizes, Some((0, census.total())));
        }
    }

    #[test]
    fn two_margins_hold_or_are_in_conflict(
        rows in prop::collection::vec(0_u64..60, 12),
        first in prop::collection::vec(1_u32..9, 3),
        second in prop::collection::vec(1_u32..9, 4),
        size in 1_u64..200,
    ) {
        let census = census(&rows, &[3, 4]);
        prop_assume!((0..2).all(|key| census.levels(key).len() == [3, 4][key]));
        let rules = with_shares(with_shares(Rules::new("id", &["k0", "k1"]).exactly(size), "k0", &first), "k1", &second);
        let plan = Plan::new(&rules, &census).unwrap();
        honest(&plan)?;
        // Feasible or not, as the largest size says.
        let feasible = plan.sizes.is_some_and(|(low, high)| (low..=high).contains(&size));
        prop_assert_eq!(feasible, plan.outcome != Outcome::Refused, "{:?}", plan.sizes);
        if feasible {
            prop_assert_eq!(plan.size, size);
            prop_assert!(plan.largest_deviation < 1.0);
        }
    }

    #[test]
    fn three_margins_hold_or_say_by_how_much_they_do_not(
        rows in prop::collection::vec(3_u64..60, 24),
        weights in prop::collection::vec(prop::collection::vec(2_u32..9, 2..5), 3),
        size in 1_u64..100,
    ) {
        let census = census(&rows, &[2, 3, 4]);
        let mut rules = Rules::new("id", &["k0", "k1", "k2"]).exactly(size);
        for (key, count) in [2, 3, 4].into_iter().enumerate() {
            let weights: Vec<u32> = (0..count).map(|level| weights[key][level % weights[key].len()]).collect();
            rules = with_shares(rules, &format!("k{key}"), &weights);
        }
        let plan = Plan::new(&rules, &census).unwrap();
        honest(&plan)?;
        if plan.conflicts.is_empty() {
            prop_assert_eq!(plan.size, size);
            prop_assert!(plan.largest_deviation < 2.0, "{}", plan.largest_deviation);
        }
    }

    #[test]
    fn bounds_hold_or_are_in_conflict(
        rows in prop::collection::vec(1_u64..40, 12),
        least in 0_u64..6,
        most in 3_u64..20,
        rate in 0.2_f64..1.0,
        size in 1_u64..200,
    ) {
        let census = census(&rows, &[3, 4]);
        let each = Limits { at_least: Some(least.min(most)), at_most: Some(most), rate: Some(rate), ..Limits::default() };
        let half = Limits { share_at_most: Some(0.5), ..Limits::default() };
        let rules = Rules::new("id", &["k0", "k1"]).exactly(size).each(&["k1"], each).bound("k0", "l0", half).closest();
        let plan = Plan::new(&rules, &census).unwrap();
        honest(&plan)?;
        if plan.conflicts.is_empty() {
            prop_assert_eq!(plan.size, size);
        } else {
            // Bounds come before the size; only when they contradict each other is one missed.
            let bounds = plan.sums.iter().filter(|sum| sum.part.starts_with("bounds")).map(|sum| sum.missed).fold(0.0, f64::max);
            prop_assert!(bounds < 1.0 || plan.sizes.is_none(), "{:?}", plan.sums);
        }
    }

    #[test]
    fn importance_and_uniform_targets_hold(rows in prop::collection::vec(40_u64..90, 4), factor in 1.0_f64..4.0) {
        let census = census(&rows, &[4]);
        let importance = Distribution::Importance([("l1".to_owned(), factor)].into());
        let plan = Plan::new(&Rules::new("id", &["k0"]).exactly(40).target("more of one", &["k0"], importance), &census).unwrap();
        honest(&plan)?;
        let share = |level: usize| plan.strata[level].target / plan.strata[level].available as f64;
        prop_assert!((share(1) / share(0) - factor).abs() < 1e-6);
        let plan = Plan::new(&Rules::new("id", &["k0"]).exactly(40).target("even", &["k0"], Distribution::Uniform), &census).unwrap();
        prop_assert_eq!(plan.take(), vec![10; 4]);
    }

    #[test]
    fn rare_strata_lose_no_row_unless_a_rule_says_so(rows in prop::collection::vec(1_u64..30, 12)) {
        let census = census(&rows, &[3, 4]);
        for action in [RareAction::Keep, RareAction::Merge, RareAction::Drop] {
            let rules = Rules::new("id", &["k0", "k1"]).rate(0.5).rare(8, action);
            let Ok(plan) = Plan::new(&rules, &census) else { continue };
            let there: u64 = plan.available().iter().sum();
            let gone: u64 = plan.rare.iter().filter(|rare| rare.action == "dropped").map(|rare| rare.rows).sum();
            prop_assert_eq!(there + gone, census.total());
            prop_assert_eq!(plan.rare.len(), rows.iter().filter(|rows| **rows < 8).count());
        }
    }

    #[test]
    fn a_sample_does_not_depend_on_the_order_of_rows(seed in 0_u64..1000, shift in 1_usize..499) {
        let ids: Vec<usize> = (0..500).collect();
        let mut shuffled = ids.clone();
        shuffled.rotate_left(shift);
        shuffled.swap(3, 77);
        let taken = |ids: &[usize]| {
            let hasher = IdHasher::new(seed);
            let strata: Vec<_> = ids.iter().map(|id| Some(id % 7)).collect();
            let hashes: Vec<u64> = ids.iter().map(|id| hasher.hash(id.to_string().as_bytes())).collect();
            let rows = smallest(&strata, &hashes, &[1, 2, 3, 4, 5, 6, 7]).unwrap();
            let mut taken: Vec<usize> = rows.into_iter().map(|row| ids[row]).collect();
            taken.sort_unstable();
            taken
        };
        prop_assert_eq!(taken(&ids), taken(&shuffled));
    }

    #[test]
    fn a_larger_sample_contains_the_smaller_one(rows in prop::collection::vec(10_u64..90, 6), size in 1_u64..50) {
        let census = census(&rows, &[2, 3]);
        let plan = |size| Plan::new(&Rules::new("id", &["k0", "k1"]).exactly(size), &census).unwrap();
        let (small, large) = (plan(size), plan(size + 1));
        prop_assume!(small.nested && large.nested);
        prop_assert!(small.take().iter().zip(large.take()).all(|(small, large)| *small <= large));
    }
}

#[test]
fn weighted_estimates_are_unbiased_over_a_thousand_seeds() {
    // Strata of different means, sampled at very different rates: only weights make the estimate right.
    let value = |row: usize| if row.is_multiple_of(10) { 50.0 + (row % 13) as f64 } else { (row % 7) as f64 };
    let rows: Vec<usize> = (0..2_000).collect();
    let strata: Vec<Option<usize>> = rows.iter().map(|row| Some(usize::from(row % 10 != 0))).collect();
    let truth: f64 = rows.iter().map(|row| value(*row)).sum();
    let census = Census::count(&["s"], [(vec!["a"], 200), (vec!["b"], 1_800)]);
    let rules = Rules::new("id", &["s"]).exactly(100).target("even", &["s"], Distribution::Uniform);
    let plan = Plan::new(&rules, &census).unwrap();
    let estimates: Vec<f64> = (0..1_000)
        .map(|seed| {
            let hasher = IdHasher::new(seed);
            let hashes: Vec<u64> = rows.iter().map(|row| hasher.hash(row.to_string().as_bytes())).collect();
            let taken = smallest(&strata, &hashes, &plan.take()).unwrap();
            taken.iter().map(|row| plan.strata[strata[*row].unwrap()].weight * value(*row)).sum()
        })
        .collect();
    let mean = estimates.iter().sum::<f64>() / 1_000.0;
    let variance = estimates.iter().map(|estimate| (estimate - mean).powi(2)).sum::<f64>() / 999.0;
    let error = (variance / 1_000.0).sqrt();
    assert!((mean - truth).abs() < 4.0 * error, "{mean} for {truth}, standard error {error}");
    // The spread is that of stratified sampling without replacement, not of something coarser.
    let within = |offset: usize, count: f64| {
        let values: Vec<f64> =
            rows.iter().filter(|row| usize::from(*row % 10 != 0) == offset).map(|row| value(*row)).collect();
        let mean = values.iter().sum::<f64>() / count;
        count * count * (1.0 - 50.0 / count) * values.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
            / (count - 1.0)
            / 50.0
    };
    let wanted = within(0, 200.0) + within(1, 1_800.0);
    assert!((variance / wanted - 1.0).abs() < 0.15, "variance {variance}, theory {wanted}");
}
