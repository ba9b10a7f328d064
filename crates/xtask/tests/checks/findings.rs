//! The list of known findings.

use crate::tree::told;
use xtask::Finding;
use xtask::findings::{Allowed, Verdict};

fn verdict(findings: Vec<Finding>, allowed: &str) -> Verdict {
    let allowed: Allowed = toml::from_str(allowed).expect("a list");
    Verdict::of("tidy", findings, &allowed)
}

fn long(lines: usize) -> Finding {
    Finding::new("tidy/function", "a.rs: f", "a.rs:1").of_size(lines)
}

const ENTRY: &str =
    "[[allowed]]\nrule = \"tidy/function\"\nwhat = \"a.rs: f\"\nreason = \"why\"\nat_most = 80\n";

#[test]
fn what_is_listed_is_known_with_its_reason() {
    let verdict = verdict(vec![long(80)], ENTRY);
    assert!(verdict.passes());
    assert_eq!(verdict.known[0].1, "why");
}

#[test]
fn what_is_not_listed_is_new() {
    let other = Finding::new("tidy/file", "a.rs: f", "");
    let found = verdict(vec![long(80), other], ENTRY);
    assert_eq!(told(&found.new), ["tidy/file: a.rs: f"]);
}

#[test]
fn what_has_grown_is_new_again() {
    assert_eq!(told(&verdict(vec![long(81)], ENTRY).new), ["tidy/function: a.rs: f"]);
}

#[test]
fn a_size_without_a_bound_is_not_allowed() {
    let unbounded = ENTRY.replace("at_most = 80\n", "");
    assert_eq!(told(&verdict(vec![long(80)], &unbounded).new), ["tidy/function: a.rs: f"]);
}

#[test]
fn an_entry_that_nothing_needs_any_more_is_a_finding_of_its_own_check_alone() {
    assert_eq!(told(&verdict(vec![], ENTRY).new), ["tidy/stale: tidy/function: a.rs: f"]);
    let of_another = ENTRY.replace("tidy/", "arrows/");
    assert!(verdict(vec![], &of_another).passes());
}

#[test]
fn an_entry_made_of_a_finding_allows_it_once_it_has_a_reason() {
    let entry = long(90).as_entry();
    assert_eq!(told(&verdict(vec![long(90)], &entry).new), ["tidy/reason: tidy/function: a.rs: f"]);
    let reasoned = entry.replace("reason = \"\"", "reason = \"why\"");
    assert!(verdict(vec![long(90)], &reasoned).passes());
}

#[test]
fn an_entry_without_a_reason_is_a_finding() {
    let silent = ENTRY.replace("why", " ");
    assert_eq!(told(&verdict(vec![long(80)], &silent).new), ["tidy/reason: tidy/function: a.rs: f"]);
}
