//! The descriptions of the API and of the operators' routes, held against those of the last release: what breaks its callers needs another version.
//!
//! No kept tool that comes from a package registry reads OpenAPI 3.1 and says what breaks; this reads what our description
//! is made of. Until there is a release there is nothing to compare with, and no document of one.

mod document;
mod schema;

pub use document::breaks;

use crate::files::{read, read_json, read_toml};
use crate::{Finding, Workspace, XtaskError};
use std::path::Path;
use toml::Table;

/// A description as it is, and as it was released last.
pub struct Described {
    /// As it is.
    pub current: &'static str,
    /// As it was released last.
    pub released: &'static str,
}

/// The descriptions: of the API, and of the operators' routes.
pub const DESCRIBED: [Described; 2] = [
    Described { current: "openapi/nearline.json", released: "openapi/released.json" },
    Described { current: "openapi/operators.json", released: "openapi/released-operators.json" },
];
const CHANGELOG: &str = "CHANGELOG.md";

/// What breaks callers of the last release, and a release whose description is not kept.
///
/// # Errors
/// If a file cannot be read or is no JSON.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>, XtaskError> {
    let changelog = workspace.root.join(CHANGELOG);
    let newest = if changelog.is_file() { last_release(&read(&changelog)?) } else { None };
    let mut findings = Vec::new();
    for described in &DESCRIBED {
        findings.extend(compare(&workspace.root, described, newest.as_deref())?);
    }
    Ok(findings)
}

fn compare(root: &Path, described: &Described, newest: Option<&str>) -> Result<Vec<Finding>, XtaskError> {
    let Described { current, released } = described;
    let kept = root.join(released);
    let Some(newest) = newest else {
        let detail = format!("{CHANGELOG} knows no release; what is compared with would be none's");
        let unfounded = Finding::new("api/release", format!("{released} is of no release"), detail);
        return Ok(if kept.is_file() { vec![unfounded] } else { Vec::new() });
    };
    if !kept.is_file() {
        let detail = format!("{CHANGELOG} knows {newest}; keep what {current} was then as {released}");
        return Ok(vec![Finding::new("api/release", format!("no {released}"), detail)]);
    }
    let (old, new) = (read_json(&kept)?, read_json(&root.join(current))?);
    let told = old["info"]["version"].as_str().unwrap_or_default();
    if told != newest {
        let detail =
            format!("{released} says that it is {told}; the last release of {CHANGELOG} is {newest}");
        return Ok(vec![Finding::new("api/release", format!("{released} is not of {newest}"), detail)]);
    }
    let version = version(&read_toml(&root.join("Cargo.toml"))?);
    if may_break(newest, &version) {
        return Ok(Vec::new());
    }
    let detail =
        |what: &str| format!("{current}: {what}; callers of {newest} break, and {version} does not say so");
    Ok(breaks(&old, &new)
        .into_iter()
        .map(|what| Finding::new("api/break", what.clone(), detail(&what)))
        .collect())
}

/// The version of the first heading `## [1.2.3]`.
fn last_release(changelog: &str) -> Option<String> {
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## ["));
    let mut names = headings.filter_map(|rest| rest.split(']').next());
    names.find(|name| name.starts_with(|sign: char| sign.is_ascii_digit())).map(str::to_owned)
}

fn version(manifest: &Table) -> String {
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("version"));
    version.and_then(toml::Value::as_str).unwrap_or_default().to_owned()
}

/// Whether a version may break callers of another one: the first number other than 0 is higher (semver).
pub fn may_break(released: &str, version: &str) -> bool {
    let parts =
        |text: &str| -> Vec<u64> { text.split(['.', '-']).map_while(|part| part.parse().ok()).collect() };
    let (released, version) = (parts(released), parts(version));
    let telling = released.iter().position(|part| *part != 0).unwrap_or(released.len()) + 1;
    version.iter().take(telling).gt(released.iter().take(telling))
}
