//! Where each numbered invariant is checked: a table in `docs/invariants.md`, made from the code.

mod places;

pub use places::{Places, places};

use crate::files::read;
use crate::{Finding, Workspace, XtaskError};
use std::fmt::Write;
use std::path::Path;

/// The guide with the table.
pub const GUIDE: &str = "docs/invariants.md";
/// The invariants of the design are `I1` to this one.
pub const LAST: usize = 10;
/// Places in the product at which each must be checked.
pub const LEAST_PLACES: usize = 2;

const BEGIN: &str = "<!-- made by `cargo xtask invariants`, do not edit -->";
const END: &str = "<!-- end of what is made -->";

/// Invariants checked at too few places, numbers that do not exist, and a table that is not as the code is.
///
/// # Errors
/// If the guide cannot be read.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>, XtaskError> {
    let places = places(workspace);
    let mut findings = Vec::new();
    for number in 1..=LAST {
        let name = format!("I{number}");
        let count = places.checked.get(&name).map_or(0, |found| found.len());
        if count < LEAST_PLACES {
            let detail =
                format!("{name} is checked at {count} places in the product, {LEAST_PLACES} are wanted");
            findings.push(Finding::new("invariants/places", name, detail));
        }
    }
    for (name, found) in places.checked.iter().filter(|(name, _)| !is_numbered(name)) {
        let detail = format!(
            "{}: {name} is no invariant of the design",
            found.iter().next().map_or("", |place| &place.file)
        );
        findings.push(Finding::new("invariants/unknown", name, detail));
    }
    let text = read(&workspace.root.join(GUIDE))?;
    match with_table(&text, &table(&places)) {
        None => findings.push(Finding::new(
            "invariants/guide",
            GUIDE,
            format!("{GUIDE} lacks the marks {BEGIN} and {END}"),
        )),
        Some(wanted) if wanted != text => {
            let detail = format!("{GUIDE} is not as the code is; `cargo xtask invariants` writes it");
            findings.push(Finding::new("invariants/guide", GUIDE, detail));
        }
        Some(_) => {}
    }
    Ok(findings)
}

/// Writes the table into the guide; says whether anything changed.
///
/// # Errors
/// If the guide cannot be read or written, or lacks the marks.
pub fn write(workspace: &Workspace) -> Result<bool, XtaskError> {
    let path = workspace.root.join(GUIDE);
    let text = read(&path)?;
    let wanted = with_table(&text, &table(&places(workspace))).ok_or_else(|| XtaskError::Malformed {
        path: path.clone(),
        detail: format!("it lacks the marks {BEGIN} and {END}"),
    })?;
    if wanted == text {
        return Ok(false);
    }
    std::fs::write(&path, wanted).map_err(|source| XtaskError::Unreadable { path, source })?;
    Ok(true)
}

fn is_numbered(name: &str) -> bool {
    (1..=LAST).any(|number| name == format!("I{number}"))
}

/// The guide with another table between its marks.
fn with_table(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

/// The table: without line numbers, so that it changes only when a check comes or goes.
fn table(places: &Places) -> String {
    let mut text = String::from(
        "| | checked in the product | judged by the harness | named by tests |\n| --- | --- | --- | --- |\n",
    );
    for number in 1..=LAST {
        let name = format!("I{number}");
        let checked: Vec<String> = places
            .checked
            .get(&name)
            .into_iter()
            .flatten()
            .map(|place| format!("[`{}`](../{})", place.function, place.file))
            .collect();
        let files = |found: Option<&std::collections::BTreeSet<String>>| {
            let links: Vec<String> = found.into_iter().flatten().map(|file| link(file)).collect();
            if links.is_empty() { "–".to_owned() } else { links.join(", ") }
        };
        let checked = if checked.is_empty() { "–".to_owned() } else { checked.join(", ") };
        let (judged, tests) = (files(places.judged.get(&name)), files(places.tests.get(&name)));
        let _ = writeln!(text, "| {name} | {checked} | {judged} | {tests} |");
    }
    text
}

fn link(file: &str) -> String {
    let name = Path::new(file).file_name().map_or_else(|| file.into(), |name| name.to_string_lossy());
    format!("[`{name}`](../{file})")
}
