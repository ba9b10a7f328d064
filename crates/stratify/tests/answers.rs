//! The worked answers that the library was specified with.

use nearline_stratify::apportion::{Method, seats};
use nearline_stratify::rules::{
    Distribution, EntityMethod, Limits, NegativesRule, RareAction, RuleKind, Shortage, Unknown,
};
use nearline_stratify::{Census, Outcome, Plan, RoundingMethod, Rules, StratifyError};

fn one_key(rows: &[(&str, u64)]) -> Census {
    Census::count(&["level"], rows.iter().map(|(level, rows)| (vec![*level], *rows)))
}

fn table(cells: &[(&str, &str, u64)]) -> Census {
    Census::count(&["row", "column"], cells.iter().map(|(row, column, rows)| (vec![*row, *column], *rows)))
}

fn targets(plan: &Plan) -> Vec<f64> {
    plan.strata.iter().map(|stratum| stratum.target).collect()
}

fn close(found: &[f64], wanted: &[f64], within: f64) {
    assert_eq!(found.len(), wanted.len());
    assert!(
        found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() <= within),
        "{found:?}, not {wanted:?}"
    );
}

#[test]
fn shares_of_seven_depend_on_the_way_of_rounding() {
    let census = one_key(&[("a", 100), ("b", 100), ("c", 100)]);
    let rules =
        Rules::new("id", &["level"]).exactly(7).shares("level", &[("a", 0.47), ("b", 0.33), ("c", 0.2)]);
    let plan = Plan::new(&rules, &census).unwrap();
    assert_eq!((plan.take(), plan.nested), (vec![4, 2, 1], true));
    assert_eq!(plan.outcome, Outcome::RoundedWithinOne);
    let plan = Plan::new(&rules.rounding(Method::LargestRemainder), &census).unwrap();
    assert_eq!((plan.take(), plan.nested), (vec![3, 2, 2], false));
}

#[test]
fn six_six_two_grows_without_losing_a_row() {
    let census = one_key(&[("a", 60), ("b", 60), ("c", 20)]);
    let plan = |size| Plan::new(&Rules::new("id", &["level"]).exactly(size), &census).unwrap().take();
    assert_eq!((plan(10), plan(11)), (vec![5, 4, 1], vec![5, 5, 1]));
    let weights = [6.0, 6.0, 2.0];
    assert_eq!(seats(Method::LargestRemainder, &weights, 10, None), [4, 4, 2]);
    assert_eq!(seats(Method::LargestRemainder, &weights, 11, None), [5, 5, 1]);
}

#[test]
fn equal_thirds_of_too_few_rows_come_closest_at_five() {
    let census = one_key(&[("a", 100), ("b", 5), ("c", 100)]);
    let rules = Rules::new("id", &["level"]).exactly(30).target("thirds", &["level"], Distribution::Uniform);
    let plan = Plan::new(&rules, &census).unwrap();
    assert_eq!(plan.outcome, Outcome::Refused);
    assert_eq!((plan.size, plan.sizes), (0, Some((0, 15))));
    close(&targets(&plan), &[12.5, 5.0, 12.5], 1e-7);
    let conflict = &plan.conflicts[0];
    assert_eq!(conflict.rules, ["size", "thirds"]);
    assert!(conflict.parts.contains(&"thirds (level=b)".to_owned()), "{conflict:?}");
    let plan = Plan::new(&rules.clone().closest(), &census).unwrap();
    assert_eq!((plan.outcome, plan.size), (Outcome::Closest, 30));
    let fifteen =
        Rules::new("id", &["level"]).exactly(15).target("thirds", &["level"], Distribution::Uniform);
    assert_eq!(Plan::new(&fifteen, &census).unwrap().outcome, Outcome::Exact);
    let open = Rules::new("id", &["level"]).at_most(30).target("thirds", &["level"], Distribution::Uniform);
    assert_eq!(Plan::new(&open, &census).unwrap().take(), [5, 5, 5]);
}

#[test]
fn a_two_by_two_table_is_raked_to_the_fixed_point() {
    let census = table(&[("0", "0", 100), ("0", "1", 200), ("1", "0", 300), ("1", "1", 400)]);
    let rules = Rules::new("id", &["row", "column"])
        .exactly(10)
        .shares("row", &[("0", 0.5), ("1", 0.5)])
        .shares("column", &[("0", 0.4), ("1", 0.6)]);
    let plan = Plan::new(&rules, &census).unwrap();
    close(&targets(&plan), &[1.757_651, 3.242_349, 2.242_349, 2.757_651], 1e-6);
    assert_eq!((plan.outcome, plan.rounding), (Outcome::Exact, RoundingMethod::Flow));
    assert_eq!(plan.take(), [2, 3, 2, 3]);
}

#[test]
fn an_impossible_cell_puts_a_row_in_conflict_with_a_column() {
    let census = table(&[("0", "0", 100), ("1", "0", 100), ("1", "1", 100)]);
    let rules = Rules::new("id", &["row", "column"])
        .exactly(10)
        .shares("row", &[("0", 0.5), ("1", 0.5)])
        .shares("column", &[("0", 0.3), ("1", 0.7)]);
    let plan = Plan::new(&rules, &census).unwrap();
    assert_eq!(plan.outcome, Outcome::Refused);
    assert_eq!(plan.conflicts.len(), 1);
    assert_eq!(plan.conflicts[0].parts, ["shares of row (row=0)", "shares of column (column=0)"]);
    let plan = Plan::new(&rules.closest(), &census).unwrap();
    let missed: f64 = plan.sums.iter().map(|sum| sum.missed).sum();
    assert!((missed - 4.0).abs() < 1e-6, "{:?}", plan.sums);
}

#[test]
fn three_margins_without_an_integral_solution_miss_by_one() {
    let cells = ["001", "010", "100", "111"];
    let census = Census::count(
        &["a", "b", "c"],
        cells.iter().map(|cell| (cell.chars().map(String::from).collect(), 1)),
    );
    let rules = ["a", "b", "c"].iter().fold(Rules::new("id", &["a", "b", "c"]).exactly(2), |rules, key| {
        rules.shares(key, &[("0", 0.5), ("1", 0.5)])
    });
    let plan = Plan::new(&rules, &census).unwrap();
    close(&targets(&plan), &[0.5; 4], 1e-9);
    assert_eq!((plan.size, plan.outcome), (2, Outcome::Closest));
    assert!((plan.largest_deviation - 1.0).abs() < 1e-9);
}

#[test]
fn a_minimum_in_each_of_five_strata_needs_five_rows() {
    let census = one_key(&[("a", 9), ("b", 9), ("c", 9), ("d", 9), ("e", 9)]);
    let limits = Limits { at_least: Some(1), ..Limits::default() };
    let plan = Plan::new(&Rules::new("id", &["level"]).exactly(3).each(&[], limits), &census).unwrap();
    assert_eq!(plan.outcome, Outcome::Refused);
    assert_eq!(plan.sizes, Some((5, 45)));
    assert_eq!(plan.conflicts[0].rules, ["size", "bounds of each"]);
    let plan = Plan::new(&Rules::new("id", &["level"]).exactly(5).each(&[], limits), &census).unwrap();
    assert_eq!((plan.outcome, plan.take()), (Outcome::Exact, vec![1; 5]));
}

#[test]
fn ten_of_ninety_and_ten_of_ten_have_an_effective_size_of_twelve() {
    let census = one_key(&[("a", 90), ("b", 10)]);
    let rules = Rules::new("id", &["level"]).exactly(20).target("even", &["level"], Distribution::Uniform);
    let plan = Plan::new(&rules, &census).unwrap();
    assert_eq!(plan.strata.iter().map(|stratum| stratum.weight).collect::<Vec<_>>(), [9.0, 1.0]);
    assert!((plan.distances.effective_size - 12.195).abs() < 1e-3);
}

#[test]
fn rules_that_only_an_empty_sample_keeps_are_in_conflict() {
    let census = one_key(&[("a", 100), ("b", 100)]);
    let shares = |a: f64| Distribution::Shares([("a".to_owned(), a), ("b".to_owned(), 1.0 - a)].into());
    let rules = Rules::new("id", &["level"]).target("even", &["level"], shares(0.5));
    assert_eq!(Plan::new(&rules, &census).unwrap().take(), [100, 100]);
    let rules = rules.target("uneven", &["level"], shares(0.1));
    let plan = Plan::new(&rules, &census).unwrap();
    assert_eq!((plan.outcome, plan.sizes), (Outcome::Refused, None));
    assert_eq!(plan.conflicts[0].rules, ["even", "uneven"]);
    assert!(Plan::new(&rules.closest(), &census).unwrap().size > 0, "the closest sample has rows");
    let capped = |rules: Rules| rules.each(&[], Limits { at_most: Some(10), ..Limits::default() });
    let soft = Rules::new("id", &["level"]).target("even", &["level"], shares(0.5)).soft();
    let soft = capped(soft.target("uneven", &["level"], shares(0.1)).soft());
    let plan = Plan::new(&soft, &census).unwrap();
    assert!(plan.outcome == Outcome::Closest && plan.size > 0, "{plan:?}");
    assert!(plan.take().iter().all(|take| *take <= 10), "what is hard holds: {plan:?}");
    let even = Rules::new("id", &["level"]).target("even", &["level"], shares(0.5)).priority(1);
    let ranked = even.target("uneven", &["level"], shares(0.1)).priority(2).closest();
    let plan = Plan::new(&ranked, &one_key(&[("a", 100), ("b", 50)])).unwrap();
    assert_eq!(plan.take(), [50, 50], "what comes first holds");
    let nothing = Plan::new(
        &Rules::new("id", &["level"]).target("even", &["level"], shares(0.5)),
        &one_key(&[("a", 0), ("b", 0)]),
    );
    assert!(nothing.is_err() || nothing.unwrap().outcome != Outcome::Refused, "there is nothing to select");
}

#[test]
fn a_rate_of_a_half_allows_fifty_of_a_hundred() {
    let census = one_key(&[("a", 100)]);
    let limits = Limits { rate: Some(0.5), ..Limits::default() };
    let rules = Rules::new("id", &["level"]).exactly(60).each(&[], limits);
    let plan = Plan::new(&rules, &census).unwrap();
    assert_eq!((plan.outcome, plan.sizes), (Outcome::Refused, Some((0, 50))));
    assert_eq!(Plan::new(&rules.closest(), &census).unwrap().take(), [50]);
}

#[test]
fn a_floor_and_a_share_conflict_below_a_hundred_and_fifty() {
    let census = one_key(&[("A", 500), ("B", 500)]);
    let floor = Limits { at_least: Some(30), ..Limits::default() };
    let share = Limits { share_at_most: Some(0.2), ..Limits::default() };
    let rules = |size| {
        let mut rules =
            Rules::new("id", &["level"]).exactly(size).bound("level", "A", floor).bound("level", "A", share);
        rules.rules[2].name = "share of A".to_owned();
        rules
    };
    let plan = Plan::new(&rules(100), &census).unwrap();
    assert_eq!(plan.outcome, Outcome::Refused);
    assert_eq!(plan.sizes.unwrap().0, 150);
    assert_eq!(plan.conflicts[0].rules.len(), 3, "{:?}", plan.conflicts);
    assert_eq!(Plan::new(&rules(150), &census).unwrap().outcome, Outcome::Exact);
}

#[test]
fn a_level_that_the_data_lacks_is_named_merged_or_renormalised() {
    let census = one_key(&[("a", 100), ("b", 100)]);
    let shares = [("a", 0.5), ("b", 0.3), ("ghost", 0.2)];
    let rules = |unknown, into: Option<&str>| {
        let mut rules = Rules::new("id", &["level"]).exactly(50).shares("level", &shares);
        if let RuleKind::Target(target) = &mut rules.rules[1].kind {
            (target.unknown, target.into) = (unknown, into.map(ToOwned::to_owned));
        }
        rules
    };
    let error = Plan::new(&rules(Unknown::Error, None), &census).unwrap_err();
    assert!(matches!(&error, StratifyError::UnknownLevel { level, .. } if level == "ghost"), "{error}");
    let merged = Plan::new(&rules(Unknown::Merge, Some("b")), &census).unwrap();
    assert_eq!((merged.take(), merged.notes.len()), (vec![25, 25], 1));
    let grown = Plan::new(&rules(Unknown::Renormalise, None), &census).unwrap();
    close(&targets(&grown), &[31.25, 18.75], 1e-9);
    let missing = Rules::new("id", &["level"]).exactly(50).shares("level", &[("a", 1.0)]);
    let error = Plan::new(&missing, &census).unwrap_err();
    assert!(matches!(&error, StratifyError::UnnamedLevel { level, .. } if level == "b"), "{error}");
}

#[test]
fn four_negatives_per_positive_leave_two_to_one_or_twenty_five_positives() {
    let census = Census::count(&["label"], [(vec!["0"], 100), (vec!["1"], 50)]);
    let rules = |shortage| {
        let negatives = NegativesRule { key: "label".into(), positive: "1".into(), ratio: 4.0, shortage };
        Rules::new("id", &["label"]).negatives(negatives)
    };
    let plan = Plan::new(&rules(Shortage::Conflict), &census).unwrap();
    assert_eq!(plan.outcome, Outcome::Refused);
    assert!(
        plan.conflicts[0].detail.contains("2:1 with all 50 positives, or 25 positives at 4:1"),
        "{:?}",
        plan.conflicts
    );
    assert_eq!(Plan::new(&rules(Shortage::Ratio), &census).unwrap().take(), [100, 50]);
    assert_eq!(Plan::new(&rules(Shortage::Positives), &census).unwrap().take(), [100, 25]);
}

#[test]
fn where_positives_give_way_the_ratio_holds_to_the_last_row() {
    for (positives, negatives, ratio, taken) in [
        (100, 1_000, 30.0, [990, 33]),
        (50, 99, 4.0, [96, 24]),
        (10, 25, 3.0, [24, 8]),
        (200, 1_000, 7.0, [994, 142]),
    ] {
        let census =
            Census::count(&["label"], [(vec!["0".to_owned()], negatives), (vec!["1".to_owned()], positives)]);
        let shortage = Shortage::Positives;
        let rule = NegativesRule { key: "label".into(), positive: "1".into(), ratio, shortage };
        let plan = Plan::new(&Rules::new("id", &["label"]).negatives(rule), &census).unwrap();
        assert_eq!(
            (plan.take(), plan.outcome),
            (taken.to_vec(), Outcome::Exact),
            "{positives}:{negatives} at {ratio}"
        );
    }
}

#[test]
fn rare_strata_are_kept_merged_dropped_or_refused_and_always_named() {
    let census = table(&[("x", "a", 50), ("x", "b", 2), ("y", "a", 50), ("y", "c", 3)]);
    let plan = |action| Plan::new(&Rules::new("id", &["row", "column"]).rate(0.5).rare(5, action), &census);
    let kept = plan(RareAction::Keep).unwrap();
    assert_eq!((kept.strata.len(), kept.rare.len()), (4, 2));
    let merged = plan(RareAction::Merge).unwrap();
    assert_eq!(
        merged.strata.iter().map(|s| s.levels.join("/")).collect::<Vec<_>>(),
        ["x/a", "x/other", "y/a", "y/other"]
    );
    let dropped = plan(RareAction::Drop).unwrap();
    assert_eq!((dropped.size, dropped.stratum_of.iter().flatten().count()), (50, 2));
    assert!(matches!(plan(RareAction::Refuse), Err(StratifyError::Rare { count: 2, .. })));
}

#[test]
fn rules_survive_toml() {
    let text = r#"
        id = "row_id"
        seed = 7
        strata = ["country", "age"]
        [keys.age]
        column = "years"
        bins = [18.0, 35.0]
        [[rules]]
        name = "size"
        size = { exactly = 100 }
        [[rules]]
        name = "countries"
        priority = 3
        hard = false
        target = { keys = ["country"], shares = { DE = 0.6, FR = 0.4 }, unknown = "renormalise" }
        [[rules]]
        name = "cap"
        bound = { where = { country = ["DE", "FR"] }, at_most = 90 }
        [[rules]]
        name = "floor"
        each = { keys = ["age"], at_least = 1 }
        [[rules]]
        name = "members"
        entity = { column = "member", at_most = 3 }
        [[rules]]
        name = "parts"
        split = { parts = [{ name = "train", share = 0.8 }, { name = "test", share = 0.2 }], entity = "member" }
        [[rules]]
        name = "weights"
        weights = { column = "w" }
    "#;
    let rules = Rules::from_toml(text).unwrap();
    assert_eq!(rules.entity().unwrap().method, EntityMethod::Thin);
    assert_eq!(Rules::from_toml(&rules.to_toml().unwrap()).unwrap(), rules);
    for wrong in ["at_mots = 90", "keys = [\"age\"], at_most = 1"] {
        let broken = text.replace("at_most = 90", wrong);
        assert!(Rules::from_toml(&broken).is_err(), "{wrong}");
    }
    let unknown = text.replace("keys = [\"age\"]", "keys = [\"agee\"]");
    assert!(matches!(Rules::from_toml(&unknown), Err(StratifyError::UnknownKey { .. })));
    let sum = text.replace("FR = 0.4", "FR = 0.5");
    assert!(matches!(Rules::from_toml(&sum), Err(StratifyError::Sum { .. })));
}

#[test]
fn parts_of_one_name_and_importance_of_nothing_are_refused() {
    let rules = |rule: &str| {
        Rules::from_toml(&format!("id = \"id\"\nstrata = [\"level\"]\n[[rules]]\nname = \"r\"\n{rule}\n"))
    };
    let parts = "split = { parts = [{ name = \"train\", share = 0.8 }, { name = \"train\", share = 0.2 }] }";
    let said = rules(parts).unwrap_err().to_string();
    assert!(said.contains("two `parts` have one name"), "{said}");
    let nothing = rules("target = { keys = [\"level\"], importance = { a = 0.0, b = 0.0 } }").unwrap();
    let said = Plan::new(&nothing, &one_key(&[("a", 10), ("b", 10)])).unwrap_err().to_string();
    assert!(said.contains("importance of every level"), "{said}");
    // A level that is not named has the factor one.
    Plan::new(&nothing, &one_key(&[("a", 10), ("b", 10), ("c", 10)])).unwrap();
}
