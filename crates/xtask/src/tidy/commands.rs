//! Commands of the guides: recipes, packages and files that they name. What programs take is their own tests' business.

use super::Rules;
use crate::{Finding, Workspace, XtaskError};
use nearline_guides::{Command, Guide};

/// Recipes that `just` does not know, packages that are no room's, and files that are not there.
pub fn check(workspace: &Workspace, rules: &Rules, guides: &[Guide]) -> Result<Vec<Finding>, XtaskError> {
    let recipes = recipes(workspace, rules)?;
    let mut findings = Vec::new();
    for command in guides.iter().flat_map(Guide::commands) {
        let mut finding = |rule: &str, what: &str, why: &str| {
            let detail = format!("{}: {what} {why}", command.place);
            findings.push(Finding::new(rule, format!("{}: {what}", path_of(&command)), detail));
        };
        if command.program() == "just"
            && let Some(recipe) = command.words.get(1).filter(|word| !recipes.contains(word))
        {
            finding("tidy/recipe", recipe, &format!("is no recipe of {}", rules.recipes));
        }
        if command.program() == "cargo" {
            for package in packages(&command).filter(|package| workspace.room_of_package(package).is_none()) {
                finding("tidy/package", package, "is no package of the workspace");
            }
        }
        for file in command.words.iter().filter(|word| is_in_project(workspace, word)) {
            if !workspace.root.join(file).exists() {
                finding("tidy/path", file, "is in a folder of the project, and not there");
            }
        }
    }
    findings.sort();
    findings.dedup_by(|one, other| (&one.rule, &one.what) == (&other.rule, &other.what));
    Ok(findings)
}

fn path_of(command: &Command) -> &str {
    command.place.rsplit_once(':').map_or(command.place.as_str(), |(path, _)| path)
}

/// Names of recipes: what begins a line and ends at its colon, with parameters between.
fn recipes(workspace: &Workspace, rules: &Rules) -> Result<Vec<String>, XtaskError> {
    let path = workspace.root.join(&rules.recipes);
    let text = if path.is_file() { crate::files::read(&path)? } else { String::new() };
    let heads = text.lines().filter(|line| line.starts_with(|sign: char| sign.is_ascii_lowercase()));
    Ok(heads
        .filter(|line| line.contains(':') && !line.contains(":="))
        .filter_map(|line| line.split([' ', ':']).next().map(str::to_owned))
        .collect())
}

/// Values of `-p`, before what is passed on.
fn packages(command: &Command) -> impl Iterator<Item = &str> {
    let words = command.words.iter().take_while(|word| *word != "--");
    words
        .clone()
        .zip(words.skip(1))
        .filter(|(option, _)| *option == "-p")
        .map(|(_, package)| package.as_str())
}

/// `config/cluster.toml`, `.ci/run`: a path whose first folder the project has. Build output is none of it.
fn is_in_project(workspace: &Workspace, word: &str) -> bool {
    let is_plain = word.chars().all(|sign| sign.is_ascii_alphanumeric() || "._/-".contains(sign));
    word.split_once('/').is_some_and(|(folder, _)| {
        is_plain
            && !["", ".", "..", "target"].contains(&folder)
            && workspace.root.join(folder).is_dir()
            && !is_made(word)
    })
}

/// Folders that tests and builds make.
fn is_made(word: &str) -> bool {
    word.starts_with(".tools/")
}
