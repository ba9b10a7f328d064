//! The index of decisions: each one listed once, with its title and status, and nothing else.

use crate::files::{below, read, walk};
use crate::{Finding, XtaskError};
use std::collections::BTreeMap;
use std::path::Path;

/// The index, beside the decisions.
const INDEX: &str = "README.md";

/// A decision as its own file has it.
#[derive(Debug, PartialEq, Eq)]
struct Decision {
    number: u32,
    title: String,
    /// Of a line `Status: …`; older ones have none.
    status: Option<String>,
}

/// A row of the index: `| 3 | [Title](0003-name.md) | accepted |`.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    number: u32,
    title: String,
    file: String,
    status: String,
}

/// What the index in `folder` gets wrong; `shown` is the folder's name in findings.
///
/// # Errors
/// If a decision cannot be read.
pub fn check(folder: &Path, shown: &str) -> Result<Vec<Finding>, XtaskError> {
    let decisions = decisions(folder)?;
    let index = folder.join(INDEX);
    let text = if index.is_file() { read(&index)? } else { String::new() };
    let rows: Vec<Row> = text.lines().enumerate().filter_map(|(at, line)| row(at + 1, line)).collect();
    let mut findings = Vec::new();
    let mut wrong = |what: &str, detail: String| findings.push(Finding::new("tidy/decision", what, detail));
    for (file, decision) in &decisions {
        let listed: Vec<&Row> = rows.iter().filter(|row| row.file == *file).collect();
        match listed.as_slice() {
            [row] => {
                for problem in differences(file, decision, row) {
                    wrong(file, format!("{shown}/{INDEX}:{}: {problem}", row.line));
                }
            }
            _ => wrong(file, format!("{shown}/{INDEX} lists {file} {} times", listed.len())),
        }
        let same = decisions.values().filter(|other| other.number == decision.number).count();
        if same > 1 {
            wrong(file, format!("{shown}/{file}: {same} decisions have number {}", decision.number));
        }
    }
    for row in rows.iter().filter(|row| !decisions.contains_key(&row.file)) {
        wrong(&row.file, format!("{shown}/{INDEX}:{}: there is no {}", row.line, row.file));
    }
    for row in &rows {
        if let Some(problem) = status_problem(&row.status, &rows) {
            wrong(&row.file, format!("{shown}/{INDEX}:{}: {problem}", row.line));
        }
    }
    Ok(findings)
}

fn decisions(folder: &Path) -> Result<BTreeMap<String, Decision>, XtaskError> {
    let mut decisions = BTreeMap::new();
    for path in walk(folder, &|path| path.extension().is_some_and(|ending| ending == "md"))? {
        let file = below(folder, &path);
        let Some((number, _)) = file.split_once('-') else { continue };
        let Ok(number) = number.parse() else { continue };
        let text = read(&path)?;
        let heading = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default();
        let title = heading.split_once(". ").map_or(heading, |(_, title)| title).to_owned();
        let status = text
            .lines()
            .find_map(|line| line.strip_prefix("Status: "))
            .map(|status| status.trim().to_owned());
        decisions.insert(file, Decision { number, title, status });
    }
    Ok(decisions)
}

fn row(line: usize, text: &str) -> Option<Row> {
    let cells: Vec<&str> = text.strip_prefix('|')?.split('|').map(str::trim).collect();
    let [number, link, status, ..] = cells.as_slice() else { return None };
    let (title, rest) = link.strip_prefix('[')?.split_once("](")?;
    Some(Row {
        line,
        number: number.parse().ok()?,
        title: title.to_owned(),
        file: rest.strip_suffix(')')?.to_owned(),
        status: (*status).to_owned(),
    })
}

fn differences(file: &str, decision: &Decision, row: &Row) -> Vec<String> {
    let mut problems = Vec::new();
    if row.number != decision.number {
        problems.push(format!("{file} is number {}, not {}", decision.number, row.number));
    }
    if row.title != decision.title {
        problems.push(format!("{file} is called {:?}, not {:?}", decision.title, row.title));
    }
    if let Some(status) = &decision.status
        && *status != row.status
    {
        problems.push(format!("{file} is {status:?}, not {:?}", row.status));
    }
    problems
}

/// A status is `proposed`, `accepted`, or one of the two with `superseded by N` or `amended by N`, where N is listed.
fn status_problem(status: &str, rows: &[Row]) -> Option<String> {
    if matches!(status, "proposed" | "accepted") {
        return None;
    }
    let others = status.strip_prefix("superseded by ").or_else(|| status.strip_prefix("amended by "));
    let Some(others) = others else {
        return Some(format!(
            "status {status:?}; expected proposed, accepted, superseded by N or amended by N"
        ));
    };
    for other in others.split(", ") {
        if !other.parse().is_ok_and(|number: u32| rows.iter().any(|row| row.number == number)) {
            return Some(format!("status {status:?} names {other}, which is not listed"));
        }
    }
    None
}
