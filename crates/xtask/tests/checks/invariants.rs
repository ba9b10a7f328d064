//! Where invariants are checked, and the table of it.

use crate::tree::{Tree, told};
use xtask::invariants::{self, GUIDE};

const EMPTY_GUIDE: &str = "# Invariants\n\n<!-- made by `cargo xtask invariants`, do not edit -->\nof before\n<!-- end of what is made -->\n\nMore.\n";

fn tree() -> Tree {
    let lib = "//! check_invariant!(I9, …)\npub struct Partition;\nimpl Partition {\n    fn fold(&self) {\n        check_invariant!(I4, 1 < 2, \"x\");\n        check_invariant!(I4, 1 < 3, \"x\");\n    }\n}\n\
        #[cfg(test)]\nmod tests { fn t() { check_invariant!(I5, true, \"x\"); } }\n";
    let files = [
        ("crates/model/src/lib.rs", lib),
        ("crates/model/tests/fold.rs", "//! Holds I4, as I40 does not.\n"),
        ("chaos/src/lib.rs", "fn judge() { violated(\"I2\", format!(\"I3: {x}\")); }"),
        (GUIDE, EMPTY_GUIDE),
    ];
    Tree::new(&["crates/model", "chaos"], &files)
}

fn check(tree: &Tree) -> Vec<String> {
    told(&invariants::check(&tree.open()).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn places_are_functions_of_the_product_and_two_checks_in_one_are_one_place() {
    let places = invariants::places(&tree().open());
    let names: Vec<&str> = places.checked.keys().map(String::as_str).collect();
    assert_eq!(names, ["I4"], "neither comments nor tests check anything");
    let functions: Vec<&str> = places.checked["I4"].iter().map(|place| place.function.as_str()).collect();
    assert_eq!(functions, ["Partition::fold"]);
    assert_eq!(places.judged.keys().collect::<Vec<_>>(), ["I2", "I3"]);
    assert!(places.tests["I4"].contains("crates/model/tests/fold.rs"));
    assert!(places.tests.contains_key("I40"), "words, not starts of words");
}

#[test]
fn an_invariant_with_too_few_places_is_found_and_passes_with_two() {
    let tree = tree();
    assert!(check(&tree).contains(&"invariants/places: I4".to_owned()));
    tree.write(
        "crates/model/src/lib.rs",
        "fn a() { check_invariant!(I4, true, \"x\"); }\nfn b() { check_invariant!(I4, true, \"x\"); }\n",
    );
    let findings = check(&tree);
    assert!(!findings.contains(&"invariants/places: I4".to_owned()), "{findings:?}");
    assert!(findings.contains(&"invariants/places: I10".to_owned()));
}

#[test]
fn a_number_that_the_design_does_not_have_is_found() {
    let tree = tree();
    tree.write("crates/model/src/lib.rs", "fn a() { check_invariant!(I11, true, \"x\"); }\n");
    assert!(check(&tree).contains(&"invariants/unknown: I11".to_owned()));
}

#[test]
fn the_table_is_written_between_its_marks_and_stale_when_a_check_comes_or_goes() {
    let tree = tree();
    let stale = format!("invariants/guide: {GUIDE}");
    assert!(check(&tree).contains(&stale));
    assert!(invariants::write(&tree.open()).expect("written"));
    assert!(!check(&tree).contains(&stale));
    assert!(!invariants::write(&tree.open()).expect("read"), "written once");
    let guide = std::fs::read_to_string(tree.root().join(GUIDE)).expect("readable");
    assert!(
        guide.starts_with("# Invariants\n") && guide.ends_with("\nMore.\n") && !guide.contains("of before"),
        "{guide}"
    );
    let row = "| I4 | [`Partition::fold`](../crates/model/src/lib.rs) | – | [`fold.rs`](../crates/model/tests/fold.rs) |";
    assert!(guide.contains(row), "{guide}");

    let lines_moved = std::fs::read_to_string(tree.root().join("crates/model/src/lib.rs")).expect("readable");
    tree.write("crates/model/src/lib.rs", &format!("\n\n{lines_moved}"));
    assert!(!check(&tree).contains(&stale), "moved lines change nothing");
    tree.write("crates/model/src/lib.rs", "fn other() { check_invariant!(I4, true, \"x\"); }\n");
    assert!(check(&tree).contains(&stale));
}

#[test]
fn a_guide_without_marks_is_found_and_not_written() {
    let tree = tree();
    tree.write(GUIDE, "# Invariants\n");
    assert!(check(&tree).contains(&format!("invariants/guide: {GUIDE}")));
    assert!(invariants::write(&tree.open()).is_err());
}
