//! Which room may use which: manifests and sources held against the plan in `crates/xtask/arrows.toml`.

pub mod circles;
mod never;
mod plan;
mod table;

pub use plan::{Never, Plan, PlannedRoom};
pub use table::table;

use crate::files::read_toml;
use crate::workspace::Kind;
use crate::{Finding, Workspace, XtaskError};

/// Where the plan is.
pub const PLAN: &str = "crates/xtask/arrows.toml";

/// Reads the plan.
///
/// # Errors
/// If it cannot be read or has other keys.
pub fn read_plan(workspace: &Workspace) -> Result<Plan, XtaskError> {
    read_toml(&workspace.root.join(PLAN))
}

/// All findings about arrows, circles and what never stands in a room.
pub fn check(workspace: &Workspace, plan: &Plan) -> Vec<Finding> {
    let mut findings = plan.check();
    findings.extend(manifests(workspace, plan));
    findings.extend(workspace.rooms.iter().flat_map(circles::check));
    findings.extend(plan.never.iter().flat_map(|rule| never::check(workspace, rule)));
    findings
}

/// Dependencies between rooms that are not in the plan.
fn manifests(workspace: &Workspace, plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in &workspace.rooms {
        let Some(planned) = plan.rooms.get(&room.name) else {
            let detail = format!("{}/Cargo.toml: the plan has no such room", room.folder);
            findings.push(Finding::new("arrows/room", &room.name, detail));
            continue;
        };
        for dependency in &room.dependencies {
            let Some(other) = workspace.room_of_package(&dependency.package) else { continue };
            let (from, to) = (&room.name, &other.name);
            if from == to || planned.may_use(to, dependency) {
                continue;
            }
            let (rule, arrow) = match dependency.kind {
                Kind::Dev => ("arrows/dev", "dev-dependency"),
                Kind::Normal | Kind::Build => ("arrows/plan", "dependency"),
            };
            let detail = format!(
                "{}/Cargo.toml: the {arrow} on {} is not in the plan",
                room.folder, dependency.package
            );
            findings.push(Finding::new(rule, format!("{from} -> {to}"), detail));
        }
    }
    findings
}
