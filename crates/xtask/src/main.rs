//! `cargo xtask arrows | tidy | api | invariants [--check] | all`

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::findings::{Allowed, Verdict};
use xtask::{Finding, Workspace, XtaskError, api, arrows, invariants, tidy};

const USAGE: &str = "\
cargo xtask arrows               rooms: who uses whom, circles of files, what never stands where
cargo xtask tidy                 sizes, names, metrics, configuration keys, decisions
cargo xtask api                  what breaks callers of the last release
cargo xtask invariants           writes the table of docs/invariants.md, then checks it
cargo xtask invariants --check   checks alone
cargo xtask all                  all checks, writing nothing

    --root FOLDER   another tree than the one around the current folder
    --known         lists known findings with their reasons, too
    --entries       tells new findings as entries of crates/xtask/allowed.toml, for you to give reasons";

/// What was asked for.
struct Asked {
    checks: Vec<&'static str>,
    writes: bool,
    shows_known: bool,
    as_entries: bool,
    root: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(asked) = read_arguments(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut report = String::new();
    let outcome = run(&asked, &mut report);
    // A reader that has seen enough (`| head`) is no failure.
    let _ = std::io::stdout().write_all(report.as_bytes());
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let (checks, mut writes): (Vec<&'static str>, bool) = match arguments.next()?.as_str() {
        "arrows" => (vec!["arrows"], false),
        "tidy" => (vec!["tidy"], false),
        "api" => (vec!["api"], false),
        "invariants" => (vec!["invariants"], true),
        "all" => (vec!["arrows", "tidy", "api", "invariants"], false),
        _ => return None,
    };
    let (mut shows_known, mut as_entries, mut root) = (false, false, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => writes = false,
            "--known" => shows_known = true,
            "--entries" => as_entries = true,
            "--root" => root = Some(arguments.next()?.into()),
            _ => return None,
        }
    }
    Some(Asked { checks, writes, shows_known, as_entries, root })
}

/// Makes the checks; true if all pass.
fn run(asked: &Asked, report: &mut String) -> Result<bool, XtaskError> {
    let here = PathBuf::from(".");
    let start = asked.root.as_ref().unwrap_or(&here);
    let start =
        start.canonicalize().map_err(|source| XtaskError::Unreadable { path: start.clone(), source })?;
    let workspace = Workspace::open(&start)?;
    let allowed = Allowed::read(&workspace)?;
    let mut passes = true;
    for check in &asked.checks {
        let findings = match *check {
            "arrows" => {
                let plan = arrows::read_plan(&workspace)?;
                let _ = writeln!(report, "{}", arrows::table(&workspace, &plan));
                arrows::check(&workspace, &plan)
            }
            "tidy" => tidy::check(&workspace, &tidy::read_rules(&workspace)?)?,
            "api" => api::check(&workspace)?,
            _ => {
                if asked.writes && invariants::write(&workspace)? {
                    let _ = writeln!(report, "{} written", invariants::GUIDE);
                }
                invariants::check(&workspace)?
            }
        };
        let verdict = Verdict::of(check, findings, &allowed);
        tell(check, &verdict, asked, report);
        passes &= verdict.passes();
    }
    passes &= tell_orphans(&allowed, report);
    Ok(passes)
}

fn tell(check: &str, verdict: &Verdict, asked: &Asked, report: &mut String) {
    for finding in &verdict.new {
        if asked.as_entries {
            let _ = writeln!(report, "{}", finding.as_entry());
            continue;
        }
        let Finding { rule, what, detail, .. } = finding;
        let _ = writeln!(report, "{rule}: {what}\n    {detail}");
    }
    if asked.shows_known {
        for (finding, reason) in &verdict.known {
            let _ = writeln!(
                report,
                "known: {}: {}\n    {}\n    {reason}",
                finding.rule, finding.what, finding.detail
            );
        }
    }
    let known = verdict.known.len();
    let _ = match verdict.new.len() {
        0 => writeln!(report, "{check}: nothing new, {known} known"),
        new => writeln!(report, "{check}: {new} findings, {known} known"),
    };
}

/// An entry whose rule belongs to no check would be held against nothing.
fn tell_orphans(allowed: &Allowed, report: &mut String) -> bool {
    let is_known =
        |rule: &str| ["arrows/", "tidy/", "api/", "invariants/"].iter().any(|check| rule.starts_with(check));
    let orphans: Vec<_> = allowed.allowed.iter().filter(|entry| !is_known(&entry.rule)).collect();
    for entry in &orphans {
        let _ = writeln!(report, "{}: {}: no check has such a rule", xtask::findings::ALLOWED, entry.rule);
    }
    orphans.is_empty()
}
