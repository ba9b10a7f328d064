//! The API's description, held against that of the last release: what breaks its callers needs another version.
//!
//! No kept tool that comes from a package registry reads OpenAPI 3.1 and says what breaks; this reads what our description
//! is made of. Until there is a release there is nothing to compare with, and no document of one.

mod document;
mod schema;

pub use document::breaks;

use crate::files::{read, read_json, read_toml};
use crate::{Finding, Workspace, XtaskError};
use toml::Table;

/// The description as it is.
pub const CURRENT: &str = "openapi/nearline.json";
/// The description as it was released last.
pub const RELEASED: &str = "openapi/released.json";
const CHANGELOG: &str = "CHANGELOG.md";

/// What breaks callers of the last release, and a release whose description is not kept.
///
/// # Errors
/// If a file cannot be read or is no JSON.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>, XtaskError> {
    let root = &workspace.root;
    let (changelog, released) = (root.join(CHANGELOG), root.join(RELEASED));
    let newest = if changelog.is_file() { last_release(&read(&changelog)?) } else { None };
    let Some(newest) = newest else {
        let detail = format!("{CHANGELOG} knows no release; what is compared with would be none's");
        let unfounded = Finding::new("api/release", format!("{RELEASED} is of no release"), detail);
        return Ok(if released.is_file() { vec![unfounded] } else { Vec::new() });
    };
    if !released.is_file() {
        let detail = format!("{CHANGELOG} knows {newest}; keep what {CURRENT} was then as {RELEASED}");
        return Ok(vec![Finding::new("api/release", format!("no {RELEASED}"), detail)]);
    }
    let (old, new) = (read_json(&released)?, read_json(&root.join(CURRENT))?);
    let told = old["info"]["version"].as_str().unwrap_or_default();
    if told != newest {
        let detail =
            format!("{RELEASED} says that it is {told}; the last release of {CHANGELOG} is {newest}");
        return Ok(vec![Finding::new("api/release", format!("{RELEASED} is not of {newest}"), detail)]);
    }
    let version = version(&read_toml(&root.join("Cargo.toml"))?);
    if may_break(&newest, &version) {
        return Ok(Vec::new());
    }
    let detail =
        |what: &str| format!("{CURRENT}: {what}; callers of {newest} break, and {version} does not say so");
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
