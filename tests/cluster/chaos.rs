//! The quick plan against this build, with real servers and processes: nothing acknowledged is lost (I1),
//! nothing counts twice (I2), state equals the fold of the log (I3), and every fault is recovered from.

use nearline_chaos::live::bed::Program;
use nearline_chaos::live::{Plan, html, run};

#[test]
fn the_quick_plan_loses_nothing_and_doubles_nothing() {
    let plan = Plan::parse(include_str!("../../config/chaos/quick.toml")).expect("a plan");
    let program = Program { binary: env!("CARGO_BIN_EXE_nearline").into() };
    let report = run(&plan, &program, &|told| println!("{}", told.text)).expect("the plan is carried out");
    let page = html::page(&report);
    let held = report.held();
    let report = serde_json::to_value(&report).expect("JSON");
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
    assert!(page.contains("<svg") && page.contains("node-kill"), "the page has its timeline");
}
