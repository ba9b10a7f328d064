//! Sizes, names, and tables that must agree with the code.

mod commands;
pub mod decisions;
mod guides;
mod metrics;
mod names;
mod paths;
mod routes;
mod settings;
mod sizes;

use crate::files::read_toml;
use crate::{Finding, Workspace, XtaskError};
use serde::Deserialize;

/// Where the rules are.
pub const RULES: &str = "crates/xtask/tidy.toml";

/// What the tree is held against.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Lines of a function at most.
    pub function_lines: usize,
    /// Lines of a file at most.
    pub file_lines: usize,
    /// Names of files and folders that say nothing.
    pub empty_names: Vec<String>,
    /// The file with all configuration keys.
    pub defaults: String,
    /// Files that set some of them.
    pub configurations: Vec<String>,
    /// Starts of the paths of files in which metrics are described.
    pub metrics_described: Vec<String>,
    /// Files and folders of guides.
    pub guides: Vec<String>,
    /// Folders of guides that are not held against the code.
    pub histories: Vec<String>,
    /// Where the recipes of `just` are.
    pub recipes: String,
    /// The folder in which routes are registered.
    pub routes: String,
    /// The description of the API.
    pub description: String,
    /// Guides that show requests that are refused.
    pub refusals: Vec<String>,
    /// The folder of the decisions.
    pub decisions: String,
}

/// Reads the rules.
///
/// # Errors
/// If they cannot be read or have other keys.
pub fn read_rules(workspace: &Workspace) -> Result<Rules, XtaskError> {
    read_toml(&workspace.root.join(RULES))
}

/// All findings.
///
/// # Errors
/// If a file cannot be read.
pub fn check(workspace: &Workspace, rules: &Rules) -> Result<Vec<Finding>, XtaskError> {
    let guides = guides::read(workspace, rules)?;
    let mut findings = sizes::check(workspace, rules)?;
    findings.extend(names::check(workspace, rules));
    findings.extend(metrics::check(workspace, rules, &guides));
    findings.extend(settings::check(workspace, rules, &guides)?);
    findings.extend(paths::check(workspace, &guides));
    findings.extend(commands::check(workspace, rules, &guides)?);
    findings.extend(routes::check(workspace, rules, &guides)?);
    findings.extend(decisions::check(&workspace.root.join(&rules.decisions), &rules.decisions)?);
    Ok(findings)
}
