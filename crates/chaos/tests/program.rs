//! The program `nearline-chaos`: what it prints, and what it refuses.

use serde_json::Value;
use std::process::Command;

fn chaos(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_nearline-chaos"))
        .args(arguments)
        .output()
        .expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_plan_that_is_wrong_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = directory.path().join("plan.toml");
    std::fs::write(&plan, "name = \"x\"\n[[faults]]\nkind = \"earthquake\"\n").expect("written");
    let (held, _, told) = chaos(&["run", &plan.display().to_string()]);
    assert!(!held && told.contains("earthquake") && told.contains("node-kill"), "{told}");
}

#[test]
fn a_simulation_ends_with_one_object() {
    let (held, out, told) = chaos(&["simulate", "--seeds", "20", "--json"]);
    assert!(held, "{out}{told}");
    let last: Value = serde_json::from_str(out.trim().lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["seeds"], &last["violations"]), (&20.into(), &0.into()));
    assert!(last["seeds_per_s"].as_f64().is_some_and(|rate| rate > 0.0));
}

#[test]
fn a_live_run_without_the_engines_program_says_how_to_get_it() {
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/chaos/quick.toml");
    let (held, _, told) = chaos(&["run", plan, "--engine", "/nowhere/nearline"]);
    assert!(!held && told.contains("/nowhere/nearline") && told.contains("cargo build"), "{told}");
}
