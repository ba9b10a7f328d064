//! Configuration keys: the file with the defaults, the other files, and the guides.
//!
//! That the defaults in the file are those in the code is a test's business; it compares values, which no reader of
//! text can.

use super::Rules;
use crate::files::{read, read_toml};
use crate::{Finding, Workspace, XtaskError};
use nearline_guides::Guide;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// Start of environment variables that set a key.
const VARIABLE: &str = "NEARLINE__";
/// What follows the point in names of files, such as `nats.conf`.
const ENDINGS: [&str; 8] = ["conf", "rs", "toml", "md", "py", "json", "html", "yaml"];

/// Keys that the guides or other files name and nobody knows, keys without a comment, sections that no guide names.
pub fn check(workspace: &Workspace, rules: &Rules, guides: &[Guide]) -> Result<Vec<Finding>, XtaskError> {
    let path = workspace.root.join(&rules.defaults);
    let known: Table = read_toml(&path)?;
    let mut findings = uncommented(&rules.defaults, &read(&path)?);
    for file in &rules.configurations {
        findings.extend(unknown_in_file(file, &read_toml(&workspace.root.join(file))?, &known));
    }
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for guide in guides {
        for (name, line) in names(guide, &known) {
            named.entry(name).or_insert_with(|| format!("{}:{line}", guide.path));
        }
        findings.extend(variables(guide, &known));
    }
    for (name, place) in &named {
        if !exists(name, &known) {
            let detail = format!("{place}: `{name}` is no key of {}", rules.defaults);
            findings.push(Finding::new("tidy/setting-unknown", name, detail));
        }
    }
    for (section, _) in known.iter().filter(|(section, _)| !named.contains_key(*section)) {
        let detail = format!("{}: no guide names `[{section}]`", rules.defaults);
        findings.push(Finding::new("tidy/setting-unexplained", section, detail));
    }
    Ok(findings)
}

fn exists(name: &str, known: &Table) -> bool {
    match name.split_once('.') {
        Some((section, key)) => known.get(section).is_some_and(|section| section.get(key).is_some()),
        None => known.contains_key(name),
    }
}

/// Keys of which no comment stands in the same block of lines, at or above them.
fn uncommented(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut section, mut commented) = (String::new(), false);
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            commented = false;
        } else if line.starts_with('#') {
            commented = true;
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']', ' ']).to_owned();
        } else if let Some((key, _)) = line.split_once(" =")
            && !commented
        {
            let key = format!("{section}.{key}");
            let detail = format!("{path}:{}: no comment at or above `{key}`", index + 1);
            findings.push(Finding::new("tidy/setting-uncommented", key, detail));
        }
    }
    findings
}

fn unknown_in_file(path: &str, table: &Table, known: &Table) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (section, values) in table {
        let keys = values.as_table().into_iter().flat_map(Table::keys);
        for name in std::iter::once(section.clone()).chain(keys.map(|key| format!("{section}.{key}"))) {
            if section != "experiments" && !exists(&name, known) {
                let detail = format!("{path}: `{name}` is no key of the defaults");
                findings.push(Finding::new("tidy/setting-unknown", name, detail));
            }
        }
    }
    findings
}

/// `[section]`, `section.key` and `section.key = value` in backquotes, of sections that are known; a section in
/// brackets alone may be unknown.
fn names(guide: &Guide, known: &Table) -> Vec<(String, usize)> {
    let is_word = |text: &str| {
        text.starts_with(|sign: char| sign.is_ascii_lowercase())
            && text.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
    };
    let mut found = Vec::new();
    for quoted in guide.quoted() {
        let text = quoted.text.split(" =").next().unwrap_or_default().trim();
        if let Some(section) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // `[[experiments]]` is a list of tables that the defaults have none of.
            if is_word(section) {
                found.push((section.to_owned(), quoted.line));
            }
        } else if let Some((section, key)) = text.split_once('.')
            && known.get(section).is_some_and(Value::is_table)
            && is_word(key)
            && !ENDINGS.contains(&key)
        {
            found.push((text.to_owned(), quoted.line));
        }
    }
    found
}

/// Environment variables that set no key, code blocks included.
fn variables(guide: &Guide, known: &Table) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (index, line) in guide.text.lines().enumerate() {
        for (at, _) in line.match_indices(VARIABLE) {
            let rest = &line[at + VARIABLE.len()..];
            let end =
                rest.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(rest.len());
            let name = rest[..end].to_lowercase().replacen("__", ".", 1);
            let is_example = rest[..end].is_empty() || name == "section.key";
            if !is_example && !exists(&name, known) && !findings.iter().any(|finding| finding.what == name) {
                let detail = format!("{}:{}: {VARIABLE}{} sets no key", guide.path, index + 1, &rest[..end]);
                findings.push(Finding::new("tidy/setting-unknown", name, detail));
            }
        }
    }
    findings
}
