//! The plan of the house, as data.

use crate::Finding;
use crate::workspace::{Dependency, Kind};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Rooms, arrows, and what never stands where.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Rooms by name.
    pub rooms: BTreeMap<String, PlannedRoom>,
    /// What never stands in a room.
    #[serde(default)]
    pub never: Vec<Never>,
}

/// One room of the plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedRoom {
    /// Its floor: it may use lower ones only.
    pub floor: u8,
    /// Rooms that it may use.
    pub uses: Vec<String>,
    /// Rooms that its tests may use besides.
    #[serde(default)]
    pub tests_use: Vec<String>,
    /// Rooms that features of it may bring besides.
    #[serde(default)]
    pub features_use: Vec<String>,
}

/// Names that never stand somewhere. At least one kind of name is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Never {
    /// The rule's name.
    pub name: String,
    /// Why.
    pub why: String,
    /// Where: rooms, or paths without `crates/`; `*` for all rooms.
    pub within: Vec<String>,
    /// Where not.
    pub except: Vec<String>,
    /// Packages, in manifests and in paths; `*` at the end for any end.
    pub packages: Vec<String>,
    /// Parts of paths, after imports: `std::time::Instant`, `nearline_ranking::*::rank`.
    pub paths: Vec<String>,
    /// Functions that are not called, by their last name; methods are none.
    pub functions: Vec<String>,
    /// `.read()` and `.write()` on something named so.
    pub locks: Vec<String>,
    /// Whether nothing is `async`.
    pub no_async: bool,
    /// Features of packages that the product does not ask for: `tokio/test-util`.
    pub features: Vec<String>,
}

impl PlannedRoom {
    /// Whether it may depend on another room in this way.
    pub fn may_use(&self, room: &str, by: &Dependency) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == room);
        named(&self.uses)
            || by.kind == Kind::Dev && named(&self.tests_use)
            || by.optional && named(&self.features_use)
    }
}

impl Plan {
    /// What the plan itself gets wrong: an arrow that does not lead down, or to no room.
    ///
    /// A room inside another one's folder (`stratify/python`) may use that one beside it.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, room) in &self.rooms {
            for other in room.uses.iter().chain(&room.tests_use).chain(&room.features_use) {
                let arrow = format!("{name} -> {other}");
                let Some(target) = self.rooms.get(other) else {
                    findings.push(Finding::new(
                        "arrows/floors",
                        arrow,
                        format!("{} has no room {other}", super::PLAN),
                    ));
                    continue;
                };
                let is_annex = name.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
                let for_tests = room.tests_use.contains(other);
                let down = target.floor < room.floor || for_tests && target.floor == room.floor;
                if !down && !is_annex {
                    let detail = format!(
                        "{}: an arrow from floor {} to floor {} does not lead down",
                        super::PLAN,
                        room.floor,
                        target.floor
                    );
                    findings.push(Finding::new("arrows/floors", arrow, detail));
                }
            }
        }
        findings
    }
}
