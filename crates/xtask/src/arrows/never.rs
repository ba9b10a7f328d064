//! What never stands in a room, as far as names tell.

use super::plan::Never;
use crate::scan::{Import, Scanned};
use crate::source::SourceFile;
use crate::workspace::{Dependency, Kind, Room};
use crate::{Finding, Workspace};
use std::collections::BTreeMap;

/// Lines of a file that are told at most.
const LINES_SHOWN: usize = 6;

/// One finding for each manifest or file and each name of the rule in it.
pub fn check(workspace: &Workspace, rule: &Never) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in workspace.rooms.iter().filter(|room| covers(rule, &room.name)) {
        findings.extend(in_manifest(room, rule));
    }
    for (_, file) in workspace.files() {
        if let Some(scanned) = file.in_product()
            && covers(rule, file.short())
        {
            findings.extend(in_file(file, scanned, rule));
        }
    }
    findings
}

/// Whether the rule is about a room or file.
fn covers(rule: &Never, place: &str) -> bool {
    let is_in = |scope: &String| {
        scope == "*"
            || place
                .strip_prefix(scope.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.']))
    };
    rule.within.iter().any(is_in) && !rule.except.iter().any(is_in)
}

fn in_manifest(room: &Room, rule: &Never) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |name: String| {
        let detail = format!("{}/Cargo.toml: {name}: {}", room.folder, rule.why);
        findings.push(Finding::new("arrows/never", format!("{}: {}: {name}", rule.name, room.name), detail));
    };
    // What a feature brings is held by its use in the sources alone.
    let is_product = |dependency: &&Dependency| dependency.kind != Kind::Dev && !dependency.optional;
    for dependency in room.dependencies.iter().filter(is_product) {
        if rule.packages.iter().any(|package| is_package(package, &dependency.package)) {
            add(dependency.package.clone());
        }
        for feature in &dependency.features {
            let feature = format!("{}/{feature}", dependency.package);
            if rule.features.contains(&feature) {
                add(feature);
            }
        }
    }
    findings
}

fn in_file(file: &SourceFile, scanned: &Scanned, rule: &Never) -> Vec<Finding> {
    let imports = &scanned.imports;
    let mut hits: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut hit = |name: &str, line: usize| hits.entry(name.to_owned()).or_default().push(line);
    for import in imports {
        for name in broken_by_path(rule, &import.path) {
            hit(name, import.line);
        }
    }
    for path in &scanned.paths {
        let whole = expanded(&path.segments, imports);
        for name in broken_by_path(rule, &whole) {
            hit(name, path.line);
        }
        for name in rule.functions.iter().filter(|name| path.called && whole.last() == Some(name)) {
            hit(&format!("{name}()"), path.line);
        }
    }
    for call in &scanned.methods {
        if call.no_arguments && matches!(call.name.as_str(), "read" | "write") {
            for lock in rule.locks.iter().filter(|lock| is_lock_of(lock, &call.receiver, scanned)) {
                hit(&format!("{lock}.{}()", call.name), call.line);
            }
        }
    }
    if rule.no_async {
        scanned.asyncs.iter().for_each(|line| hit("async", *line));
    }
    let told = |(name, mut lines): (String, Vec<usize>)| {
        lines.sort_unstable();
        lines.dedup();
        let shown: Vec<String> = lines.iter().take(LINES_SHOWN).map(ToString::to_string).collect();
        let more = if lines.len() > LINES_SHOWN { ", …" } else { "" };
        let detail = format!("{}:{}{more}: {name}: {}", file.path, shown.join(","), rule.why);
        Finding::new("arrows/never", format!("{}: {}: {name}", rule.name, file.short()), detail)
    };
    hits.into_iter().map(told).collect()
}

/// A path with its first name replaced by what the file imports under it.
fn expanded(segments: &[String], imports: &[Import]) -> Vec<String> {
    let import =
        imports.iter().find(|import| import.name.is_some() && import.name.as_ref() == segments.first());
    match import {
        Some(import) => import.path.iter().chain(&segments[1..]).cloned().collect(),
        None => segments.to_vec(),
    }
}

fn broken_by_path<'a>(rule: &'a Never, path: &[String]) -> Vec<&'a str> {
    let package = |package: &&String| {
        path.len() > 1 && path.first().is_some_and(|first| is_package(&package.replace('-', "_"), first))
    };
    let part = |part: &&String| {
        let parts: Vec<&str> = part.split("::").collect();
        (0..path.len()).any(|from| matches(&parts, &path[from..]))
    };
    let packages = rule.packages.iter().filter(package);
    packages.chain(rule.paths.iter().filter(part)).map(String::as_str).collect()
}

fn is_package(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Whether a path begins with the parts; `*` stands for any number of parts.
fn matches(parts: &[&str], path: &[String]) -> bool {
    match (parts.split_first(), path.split_first()) {
        (None, _) => true,
        (Some((&"*", rest)), Some((_, further))) => matches(rest, path) || matches(parts, further),
        (Some((&"*", rest)), None) => rest.is_empty(),
        (Some((part, rest)), Some((name, further))) => part == name && matches(rest, further),
        (Some(_), None) => false,
    }
}

/// Whether a chain names the lock, or begins with a name that is bound to something that does.
fn is_lock_of(lock: &str, receiver: &str, scanned: &Scanned) -> bool {
    let first: String = receiver.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect();
    let says =
        |text: &str| text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').any(|word| word == lock);
    says(receiver) || scanned.bindings.iter().any(|(name, value)| *name == first && says(value))
}
