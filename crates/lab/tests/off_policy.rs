//! `nearline-lab evaluate policy` beside the Open Bandit Pipeline, on a piece of the Open Bandit Dataset.

use nearline_config::{Config, open_ports};
use nearline_ports::publish::{self, Published};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Most that values and ends of intervals may differ by.
const TOLERANCE: f64 = 1e-6;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/open_bandit").join(name)
}

fn evaluate(log: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nearline-lab"));
    command.args(["evaluate", "policy"]).arg(log).args(more).output().expect("the program runs")
}

fn json(log: &Path, more: &[&str]) -> Value {
    let output = evaluate(log, &[&["--json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn estimate<'a>(report: &'a Value, policy: &str, estimator: &str) -> &'a Value {
    let policies = report["policies"].as_array().expect("policies");
    let policy = policies.iter().find(|found| found["policy"] == policy).expect("that policy");
    let estimates = policy["estimates"].as_array().expect("estimates");
    estimates.iter().find(|found| found["estimator"] == estimator).expect("that estimator")
}

#[test]
fn values_and_bootstrap_intervals_are_those_of_the_open_bandit_pipeline() {
    let text = std::fs::read_to_string(data("expected.json")).expect("readable");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let (resamples, seed) = (expected["resamples"].to_string(), expected["seed"].to_string());
    let mut compared = 0;
    for (policy, estimators) in expected["policies"].as_object().expect("policies") {
        let report = json(&data(&format!("{policy}.ndjson")), &["--resamples", &resamples, "--seed", &seed]);
        assert_eq!(report["policies"][0]["diagnostics"]["rounds"], expected["rounds"]);
        for (estimator, theirs) in estimators.as_object().expect("estimators") {
            let ours = estimate(&report, "policy", estimator);
            for (what, ours) in [
                ("value", &ours["value"]),
                ("low", &ours["bootstrap"]["low"]),
                ("high", &ours["bootstrap"]["high"]),
            ] {
                let (ours, theirs) =
                    (ours.as_f64().expect("a number"), theirs[what].as_f64().expect("a number"));
                assert!(
                    (ours - theirs).abs() <= TOLERANCE,
                    "{policy} {estimator} {what}: {ours}, not {theirs}"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 2 * 5 * 3);
}

/// Events of members who see one of two artworks, uniformly; drama likes `a`, comedy `b`.
fn events(directory: &Path) -> PathBuf {
    let mut lines = String::new();
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for n in 0..6_000 {
        let segment = ["drama", "comedy"][n % 2];
        let artwork = if uniform() < 0.5 { "a" } else { "b" };
        let (member, second) = (format!("m{}", n % 1_500), n % 60);
        let (hour, minute) = (n / 600, n / 10 % 60);
        lines += &format!(
            "{{\"id\":\"i{n}\",\"type\":\"impression\",\"member\":\"{member}\",\"title\":\"t\",\"at\":\"2026-03-01T{hour:02}:{minute:02}:{second:02}Z\",\
             \"request\":\"r{n}\",\"artwork\":\"{artwork}\",\"propensity\":0.5,\"segment\":\"{segment}\"}}\n"
        );
        let rate = if (segment == "drama") == (artwork == "a") { 0.4 } else { 0.1 };
        if uniform() < rate {
            lines += &format!(
                "{{\"id\":\"p{n}\",\"type\":\"play\",\"member\":\"{member}\",\"title\":\"t\",\"at\":\"2026-03-01T{hour:02}:{minute:02}:{second:02}.500Z\",\"request\":\"r{n}\"}}\n"
            );
        }
    }
    lines += "{\"id\":\"bare\",\"type\":\"impression\",\"member\":\"m1\",\"title\":\"t\",\"at\":\"2026-03-01T20:00:00Z\",\"artwork\":\"a\"}\n";
    let path = directory.join("events.ndjson");
    std::fs::write(&path, lines).expect("written");
    path
}

#[test]
fn the_engines_own_events_are_decisions_with_rewards() {
    let directory = tempfile::tempdir().expect("a directory");
    let report = json(&events(directory.path()), &["--resamples", "100"]);
    assert_eq!(report["skipped"]["without_propensity"], 1);
    let value = |policy, estimator| estimate(&report, policy, estimator)["value"].as_f64().expect("a number");
    // Uniformly 0.25 are taken; the best for all is no better; the best for the segment gets 0.4.
    for estimator in ["ips", "snips", "dr"] {
        assert!((value("uniform", estimator) - 0.25).abs() < 0.03, "{report}");
        assert!((value("best", estimator) - 0.25).abs() < 0.04, "{report}");
        assert!((value("segment", estimator) - 0.4).abs() < 0.04, "{report}");
        assert!(value("thompson", estimator) > 0.35, "{report}");
    }
    assert!((value("segment", "replay") - 0.4).abs() < 0.04, "{report}");
    let table = evaluate(&events(directory.path()), &[]);
    let shown = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(shown.contains("thompson") && shown.contains("effective rounds"), "{shown}");
}

#[test]
fn a_bad_log_is_refused_with_the_line_and_what_to_do() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("log");
    for (text, expected) in [
        ("{\"action\":0,\"reward\":1,\"propensity\":2,\"policy\":[1]}", "line 1: `propensity` is 2"),
        ("{\"id\":\"e\",\"type\":\"play\",\"member\":\"m\"}", "line 1: is no event: `title` is absent"),
        ("action,reward,propensity\n", "there are no rounds to evaluate"),
        (
            "{\"id\":\"e\",\"type\":\"play\",\"member\":\"m\",\"title\":\"t\",\"at\":\"2026-03-01T20:00:00Z\"}",
            "no impression has both `artwork` and `propensity`",
        ),
    ] {
        std::fs::write(&path, text).expect("written");
        let output = evaluate(&path, &[]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(error.contains(expected), "{error:?} for {text}");
    }
}

/// Publishes the events of a file to the embedded backend in `data`.
fn publish(log: &Path, data: &Path) {
    let mut config = Config::default();
    config.embedded.directory = data.display().to_string();
    let text = std::fs::read_to_string(log).expect("readable");
    let payloads = text.lines().map(|line| bytes::Bytes::copy_from_slice(line.as_bytes())).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let ports = open_ports(&config).await.expect("opened");
        let published = publish::publish(&*ports.log, payloads, config.fold.event_bytes).await;
        assert!(published.iter().all(|published| matches!(published, Published::Accepted(_))));
    });
}

#[test]
fn the_log_of_the_engine_is_evaluated_where_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = events(directory.path());
    let run = |words: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
            .args(words)
            .env("NEARLINE__EMBEDDED__DIRECTORY", directory.path().join("data"))
            .output()
            .expect("the program runs")
    };
    publish(&log, &directory.path().join("data"));
    let evaluated = run(&["evaluate", "policy", "--json", "--resamples", "10"]);
    assert!(evaluated.status.success(), "{}", String::from_utf8_lossy(&evaluated.stderr));
    let report: Value = serde_json::from_slice(&evaluated.stdout).expect("JSON");
    let from_file = json(&log, &["--resamples", "10"]);
    // Rounds come in another order, partition by partition: sums differ in their last digits.
    for policy in ["uniform", "best", "segment", "thompson"] {
        let [engine, file] = [&report, &from_file]
            .map(|report| estimate(report, policy, "ips")["value"].as_f64().expect("a number"));
        assert!((engine - file).abs() < 1e-9, "{policy}: {engine}, not {file}");
    }
}
