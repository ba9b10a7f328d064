//! The quick plan against this build, with real servers and processes: nothing acknowledged is lost (I1),
//! nothing counts twice (I2), state equals the fold of the log (I3), and every fault is recovered from.

use serde_json::Value;
use std::process::Command;

fn nearline(arguments: &[&str]) -> (bool, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_nearline")).args(arguments).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_quick_plan_loses_nothing_and_doubles_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let html = directory.path().join("report.html");
    let page = html.display().to_string();
    let (held, out, told) = nearline(&["chaos", "run", "config/chaos/quick.toml", "--json", "--html", &page]);
    println!("{told}\n{out}");
    let report: Value = serde_json::from_str(out.trim()).expect("one JSON object");
    assert!(held, "invariants were broken: {report:#}");
    for figure in ["lost", "doubled", "uncounted", "partitions_differing", "unacknowledged"] {
        assert_eq!(report[figure], 0, "{figure}: {report:#}");
    }
    assert!(report["acknowledged"].as_u64().is_some_and(|count| count > 500), "{report:#}");
    assert_eq!(report["partitions_equal"], 4);
    let faults = report["faults"].as_array().expect("faults");
    assert_eq!(
        report["skipped"],
        serde_json::json!([]),
        "every fault of the plan can be injected: {report:#}"
    );
    for label in ["panic", "hang", "poison", "reader-stall"] {
        let fault = faults.iter().find(|fault| fault["fault"] == label).expect(label);
        assert_eq!(fault["injections"], fault["detected"], "the engine notices it by itself: {fault}");
    }
    assert_eq!(report["stepped_over"], 1, "the poisonous event is in the dead letters: {report:#}");
    assert!(faults.len() >= 12, "{report:#}");
    for fault in faults {
        assert_eq!(fault["injections"], fault["recovered"], "{fault}");
        assert!(fault["recover_p99_ms"].is_number() && fault["gap_max_ms"].is_number(), "{fault}");
        assert_eq!(fault["partition_gap_max_ms"].as_array().map(Vec::len), Some(4), "{fault}");
        assert_eq!(fault["troubles"], serde_json::json!([]), "{fault}");
    }
    assert_eq!(report["engine_exits"], serde_json::json!([]), "{report:#}");
    assert!(report["events_per_s_p50"].as_f64().is_some_and(|rate| rate > 100.0), "of 200: {report:#}");
    let seconds = report["seconds"].as_array().expect("seconds");
    assert!(seconds.len() as f64 >= report["duration_s"].as_f64().expect("a number"));
    assert_eq!(seconds[0].as_array().map(Vec::len), report["seconds_columns"].as_array().map(Vec::len));
    assert!(report["query_availability"].as_f64().is_some_and(|share| share > 0.5), "{report:#}");
    let page = std::fs::read_to_string(html).expect("a page");
    assert!(page.contains("<svg") && page.contains("node-kill"), "the page has its timeline");
}

#[test]
fn a_plan_that_is_wrong_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let plan = directory.path().join("plan.toml");
    std::fs::write(&plan, "name = \"x\"\n[[faults]]\nkind = \"earthquake\"\n").expect("written");
    let (held, _, told) = nearline(&["chaos", "run", &plan.display().to_string()]);
    assert!(!held && told.contains("earthquake") && told.contains("node-kill"), "{told}");
}

#[test]
fn a_simulation_ends_with_one_object() {
    let (held, out, told) = nearline(&["chaos", "simulate", "--seeds", "20", "--json"]);
    assert!(held, "{out}{told}");
    let last: Value = serde_json::from_str(out.trim().lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["seeds"], &last["violations"]), (&20.into(), &0.into()));
    assert!(last["seeds_per_s"].as_f64().is_some_and(|rate| rate > 0.0));
}
