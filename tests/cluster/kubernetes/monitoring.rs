//! Rules, runbooks and dashboard: they name what there is.

use super::rendered::{overlay, repository, text_of};
use serde_json::Value;
use std::collections::BTreeSet;

const RULES: &str = "k8s/components/monitoring/nearline.rules.yaml";
const DASHBOARD: &str = "k8s/components/monitoring/nearline.json";

/// Words of `text` that are names of ours, without what Prometheus adds to histograms.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_' || sign == ':'));
    let ours = words.filter(|word| word.starts_with("nearline_"));
    let ends = ["_bucket", "_count", "_sum"];
    ours.map(|word| ends.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word)).collect()
}

fn described() -> BTreeSet<String> {
    let text = text_of("src/telemetry.rs");
    text.split('"').filter(|word| word.starts_with("nearline_")).map(str::to_owned).collect()
}

/// Names of the alerts, and the value of a key of each.
fn alerts(key: &str) -> Vec<(String, String)> {
    let text = text_of(RULES);
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("- alert: ") {
            found.push((name.to_owned(), String::new()));
        } else if let (Some(value), Some(last)) = (line.strip_prefix(&format!("{key}: ")), found.last_mut()) {
            last.1 = value.to_owned();
        }
    }
    found
}

#[test]
fn every_alert_has_a_runbook_of_its_own_a_severity_and_a_case_in_the_rules_tests() {
    let runbooks = alerts("runbook");
    assert!(runbooks.len() >= 12, "{runbooks:?}");
    let mut named = BTreeSet::new();
    for (alert, runbook) in &runbooks {
        let text = text_of(runbook);
        assert!(text.starts_with(&format!("# {alert}\n")), "{runbook} is of another alert");
        for part in ["## What it means", "## What to do"] {
            assert!(text.contains(part), "{runbook} lacks {part:?}");
        }
        assert!(named.insert(runbook.clone()), "{runbook} is of several alerts");
    }
    let files = std::fs::read_dir(repository("docs/runbooks")).expect("a folder").flatten();
    let files = files.map(|file| format!("docs/runbooks/{}", file.file_name().to_string_lossy()));
    assert_eq!(files.filter(|name| !name.ends_with("README.md")).collect::<BTreeSet<_>>(), named);
    for (alert, severity) in alerts("severity") {
        assert!(["page", "ticket"].contains(&severity.as_str()), "{alert}: {severity:?}");
    }
    let cases = text_of("k8s/components/monitoring/nearline.rules.test.yaml");
    for (alert, _) in &runbooks {
        let fires = format!("alertname: {alert}\n");
        assert!(cases.contains(&fires), "no case in which {alert} is looked at");
    }
}

#[test]
fn rules_and_dashboard_name_metrics_that_there_are() {
    let known = described();
    for file in [RULES, DASHBOARD, "k8s/components/scaling/adapter-rules.yaml"] {
        let text = text_of(file);
        let named = metrics_in(&text);
        assert!(!named.is_empty());
        let recorded = |name: &&str| name.contains(':') || text.contains(&format!("as: {name}\n"));
        let unknown: Vec<_> =
            named.iter().filter(|name| !recorded(name) && !known.contains(**name)).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[test]
fn every_panel_asks_for_something_says_what_it_is_and_has_a_unit() {
    let dashboard: Value = serde_json::from_str(&text_of(DASHBOARD)).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let panels: Vec<&Value> = panels.iter().filter(|panel| panel["type"] != "row").collect();
    assert!(panels.len() >= 12, "{}", panels.len());
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(panel["description"].as_str().is_some_and(|text| text.len() > 10), "{title}");
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(
            targets.iter().all(|target| target["expr"].as_str().is_some_and(|e| !e.is_empty())),
            "{title}"
        );
    }
    let maps = overlay("production");
    let shipped = maps.get("ConfigMap", "nearline-dashboard")["data"]["nearline.json"].as_str();
    assert_eq!(shipped, Some(text_of(DASHBOARD).as_str()));
}
