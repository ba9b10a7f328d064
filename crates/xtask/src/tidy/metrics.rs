//! Metrics: what the code counts, what Prometheus is told about them, what the guides explain.

use super::Rules;
use crate::source::SourceFile;
use crate::{Finding, Workspace};
use nearline_guides::Guide;
use std::collections::BTreeMap;

/// Macros that make a metric; closures and functions around them are named so, too.
const MAKERS: [&str; 3] = ["counter", "gauge", "histogram"];
/// Macros that describe one.
const DESCRIBERS: [&str; 3] = ["describe_counter", "describe_gauge", "describe_histogram"];
/// Start of every name.
const PREFIX: &str = "nearline_";
/// Ends by which a word of the guides is taken for a metric wherever it stands.
const ENDINGS: [&str; 3] = ["_total", "_seconds", "_bytes"];

/// Metrics by name, each with the place where it was seen first.
type Places = BTreeMap<String, String>;

/// Metrics that one of the three does not know, and names that no reader can find.
pub fn check(workspace: &Workspace, rules: &Rules, guides: &[Guide]) -> Vec<Finding> {
    let (mut made, mut described, mut findings) = (Places::new(), Places::new(), Vec::new());
    for (_, file) in workspace.files().filter(|(_, file)| file.in_product().is_some()) {
        let is_description =
            rules.metrics_described.iter().any(|start| file.short().starts_with(start.as_str()));
        collect(file, is_description, &mut made, &mut described);
        findings.extend(unnamed(file));
    }
    let (explained, mentioned) = in_guides(guides);
    let mut missing = |rule: &str, names: &Places, known: &Places, why: &str| {
        for (name, place) in names.iter().filter(|(name, _)| !known.contains_key(*name)) {
            findings.push(Finding::new(rule, name, format!("{place}: {name} {why}")));
        }
    };
    missing("tidy/metric-undescribed", &made, &described, "is not described in the telemetry's list");
    missing("tidy/metric-unexplained", &made, &explained, "stands in no table of the guides");
    missing("tidy/metric-unknown", &described, &made, "is described, but nothing counts it");
    missing("tidy/metric-unknown", &mentioned, &made, "is in a guide, but nothing counts it");
    findings
}

fn is_metric(text: &str) -> bool {
    let rest = text.strip_prefix(PREFIX);
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && rest.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
    })
}

fn collect(file: &SourceFile, is_description: bool, made: &mut Places, described: &mut Places) {
    let note = |places: &mut Places, name: &str, line: usize| {
        if is_metric(name) {
            places.entry(name.to_owned()).or_insert_with(|| format!("{}:{line}", file.path));
        }
    };
    for call in &file.product.macros {
        let Some(name) = &call.text else { continue };
        if MAKERS.contains(&call.name.as_str()) {
            note(made, name, call.line);
        } else if DESCRIBERS.contains(&call.name.as_str()) {
            note(described, name, call.line);
        }
    }
    for text in &file.product.texts {
        if text.argument_of.as_deref().is_some_and(|function| MAKERS.contains(&function)) {
            note(made, &text.value, text.line);
        } else if is_description && text.constant {
            note(described, &text.value, text.line);
        }
    }
}

/// A metric whose name is no text where it is made can be found by nobody, unless a function named after its kind
/// is called with the text.
fn unnamed(file: &SourceFile) -> Option<Finding> {
    let makes = |call: &&crate::scan::MacroCall| MAKERS.contains(&call.name.as_str()) && call.word.is_some();
    let call = file.product.macros.iter().find(makes)?;
    let wrapped =
        file.product.texts.iter().any(|text| text.argument_of.as_deref() == Some(call.name.as_str()));
    let detail = format!("{}:{}: a {} whose name is no text", file.path, call.line, call.name);
    (!wrapped).then(|| Finding::new("tidy/metric-unnamed", file.short(), detail))
}

/// Metrics at the head of a table's row, and all words that look like one.
fn in_guides(guides: &[Guide]) -> (Places, Places) {
    let (mut explained, mut mentioned) = (Places::new(), Places::new());
    for guide in guides {
        for quoted in guide.quoted() {
            let name = quoted.text.split('{').next().unwrap_or_default();
            if !is_metric(name) {
                continue;
            }
            let place = || format!("{}:{}", guide.path, quoted.line);
            if quoted.heads_row {
                explained.entry(name.to_owned()).or_insert_with(place);
            }
            if quoted.heads_row || ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                mentioned.entry(name.to_owned()).or_insert_with(place);
            }
        }
    }
    (explained, mentioned)
}
