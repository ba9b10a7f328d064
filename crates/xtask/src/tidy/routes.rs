//! Routes that the guides name: those of the API's description, and those that the program registers besides.

use super::Rules;
use crate::files::read_json;
use crate::{Finding, Workspace, XtaskError};
use nearline_guides::{Command, Guide};
use std::collections::{BTreeMap, BTreeSet};

/// Starts of paths that are routes, wherever a guide quotes them.
const STARTS: [&str; 2] = ["/v1/", "/admin/"];
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Methods by template of a path; none: whatever is asked.
type Routes = BTreeMap<String, BTreeSet<String>>;

/// Paths and methods that are quoted, or asked for by `curl`, and that nothing answers.
pub fn check(workspace: &Workspace, rules: &Rules, guides: &[Guide]) -> Result<Vec<Finding>, XtaskError> {
    let routes = routes(workspace, rules)?;
    let mut findings = Vec::new();
    for guide in guides.iter().filter(|guide| !rules.refusals.contains(&guide.path)) {
        let curls = guide.commands().into_iter().filter(|command| command.program() == "curl");
        let asked = curls.filter_map(|command| Some((of_curl(&command)?, command.place)));
        let quoted = guide.quoted().into_iter();
        let quoted =
            quoted.filter_map(|text| Some((of_quoted(text.text)?, format!("{}:{}", guide.path, text.line))));
        for ((method, path), place) in asked.chain(quoted) {
            if !is_answered(&routes, method.as_deref(), &path) {
                let what = format!("{} {path}", method.unwrap_or_default());
                let detail = format!("{place}: {} is no route", what.trim());
                findings.push(Finding::new("tidy/route", format!("{}: {}", guide.path, what.trim()), detail));
            }
        }
    }
    findings.sort();
    findings.dedup_by(|one, other| one.what == other.what);
    Ok(findings)
}

/// The description's operations, and texts of the program that are paths.
fn routes(workspace: &Workspace, rules: &Rules) -> Result<Routes, XtaskError> {
    let mut routes = Routes::new();
    let registered = workspace.files().filter(|(_, file)| file.path.starts_with(&rules.routes));
    for text in registered.filter_map(|(_, file)| file.in_product()).flat_map(|found| &found.texts) {
        if text.value.starts_with('/') && !text.value.contains(' ') {
            routes.entry(text.value.clone()).or_default();
        }
    }
    let path = workspace.root.join(&rules.description);
    if path.is_file() {
        for (path, operations) in read_json(&path)?["paths"].as_object().into_iter().flatten() {
            let methods =
                operations.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
            routes.entry(path.clone()).or_default().extend(methods);
        }
    }
    Ok(routes)
}

fn is_answered(routes: &Routes, method: Option<&str>, path: &str) -> bool {
    routes.iter().any(|(template, methods)| {
        let (wanted, asked): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        let fits =
            |(wanted, asked): (&&str, &&str)| wanted == asked || wanted.starts_with('{') && !asked.is_empty();
        // Whoever answers GET answers HEAD.
        let method = method.map(|method| if method == "HEAD" { "GET" } else { method });
        wanted.len() == asked.len()
            && wanted.iter().zip(&asked).all(fits)
            && method.is_none_or(|method| methods.is_empty() || methods.contains(method))
    })
}

/// What a `curl` asks: its method and path, if that is told.
fn of_curl(command: &Command) -> Option<(Option<String>, String)> {
    let words = &command.words;
    let after = |option: &str| words.iter().position(|word| word == option).and_then(|at| words.get(at + 1));
    let sends = words.iter().any(|word| word == "-d" || word.starts_with("--data"));
    let method = after("-X").map_or(if sends { "POST" } else { "GET" }, String::as_str);
    let start = words.iter().find_map(|word| {
        let starts = STARTS.iter().chain(&["/livez", "/readyz", "/metrics"]);
        starts.filter_map(|start| word.find(start)).min().map(|at| &word[at..])
    })?;
    Some((Some(method.to_owned()), path(start)?))
}

/// `GET /v1/log`, or a path alone.
fn of_quoted(text: &str) -> Option<(Option<String>, String)> {
    let (method, rest) = match text.split_once(' ') {
        Some((method, rest)) if METHODS.contains(&method) => (Some(method.to_owned()), rest),
        Some(_) => return None,
        None => (None, text),
    };
    let known = STARTS.iter().any(|start| rest.starts_with(start) && rest.len() > start.len());
    if known || (method.is_some() && rest.starts_with('/')) { Some((method, path(rest)?)) } else { None }
}

/// The path alone; none where the guide leaves a part out.
fn path(text: &str) -> Option<String> {
    let path = text.split(['?', ' ', '#', '[']).next().unwrap_or_default();
    (!path.contains('…') && !path.contains('*')).then(|| path.to_owned())
}
