//! Circles of files inside a crate.
//!
//! A file uses another where one of its paths or imports means something that is defined there; a re-export is
//! followed to the definition and is no use itself, nor is `mod`. A file and the folder beside it are one thing: what
//! `foo/bar.rs` takes from `foo.rs` or a file above it does not count, what `foo.rs` takes from `foo/bar.rs` does. A
//! circle is a set of files each of which can be reached from each other one.

use crate::Finding;
use crate::module_tree::{ModuleTree, Target};
use crate::source::{Folder, short};
use crate::workspace::Room;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Uses between files: from, to, and for what, each with its line.
pub type Uses = BTreeMap<(usize, usize), BTreeMap<String, usize>>;

/// Names of a use that are told at most.
const NAMES_SHOWN: usize = 4;
/// Loops of a circle that are told at most.
const LOOPS_SHOWN: usize = 6;

/// One finding for each circle of a room.
pub fn check(room: &Room) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for root in &room.roots {
        let uses = uses(room, root);
        for circle in circles(&uses) {
            let mut names: Vec<&str> = circle.iter().map(|file| room.files[*file].short()).collect();
            names.sort_unstable();
            if seen.insert(circle.clone()) {
                findings.push(Finding::new("arrows/circle", names.join(" "), told(room, &uses, &circle)));
            }
        }
    }
    findings
}

/// Which file uses which, in the tree that begins at a root.
pub fn uses(room: &Room, root: &str) -> Uses {
    let tree = ModuleTree::read(&room.files, root);
    let above: Vec<BTreeSet<usize>> = (0..tree.modules.len()).map(|at| tree.files_above(at)).collect();
    let mut uses = Uses::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let mut add = |path: &[String], line: usize| {
            if let Some(Target::File(file)) = tree.resolve(at, path)
                && !above[at].contains(&file)
                && room.files[file].folder == Folder::Product
            {
                let name = path.last().cloned().unwrap_or_default();
                uses.entry((module.file, file)).or_default().entry(name).or_insert(line);
            }
        };
        for import in module.imports.iter().filter(|import| !import.exported && import.name.is_some()) {
            add(&import.path, import.line);
        }
        for path in &module.paths {
            // A name alone may as well be a variable, unless it looks like a type or is called.
            let alone = path.segments.len() == 1;
            let is_type = path.segments[0].starts_with(char::is_uppercase);
            if !alone || is_type || path.called || path.is_macro {
                add(&path.segments, path.line);
            }
        }
    }
    uses
}

/// Sets of more than one file that reach each other, each sorted.
pub fn circles(uses: &Uses) -> Vec<Vec<usize>> {
    let nodes: BTreeSet<usize> = uses.keys().flat_map(|(from, to)| [*from, *to]).collect();
    let reach: BTreeMap<usize, BTreeSet<usize>> =
        nodes.iter().map(|node| (*node, reached_from(*node, uses))).collect();
    let mut found = BTreeSet::new();
    for node in &nodes {
        let circle: Vec<usize> =
            reach[node].iter().copied().filter(|other| reach[other].contains(node)).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

fn reached_from(start: usize, uses: &Uses) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(node) = open.pop() {
        for (_, to) in uses.range((node, 0)..=(node, usize::MAX)).map(|(edge, _)| edge) {
            if reached.insert(*to) {
                open.push(*to);
            }
        }
    }
    reached
}

/// The shortest loops of a circle, shortest first: where to begin to untie it.
pub fn loops(uses: &Uses, circle: &[usize]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = circle.iter().filter_map(|start| shortest_loop(*start, uses)).collect();
    for path in &mut found {
        // The same loop begins at its smallest file wherever the search began.
        let first = path.iter().enumerate().min_by_key(|(_, file)| **file).map_or(0, |(at, _)| at);
        path.rotate_left(first);
    }
    found.sort_by_key(|path| (path.len(), path.clone()));
    found.dedup();
    found
}

/// Files from `start` on, each used by the one before, the last of which uses `start`.
fn shortest_loop(start: usize, uses: &Uses) -> Option<Vec<usize>> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for (_, to) in uses.range((node, 0)..=(node, usize::MAX)).map(|(edge, _)| edge) {
            if *to == start {
                let back = std::iter::successors(Some(node), |at| before.get(at).copied());
                let mut path: Vec<usize> = back.collect();
                path.reverse();
                return Some(path);
            }
            if !before.contains_key(to) {
                before.insert(*to, node);
                open.push_back(*to);
            }
        }
    }
    None
}

/// The shortest loops of a circle and the uses inside it, a line each.
fn told(room: &Room, uses: &Uses, circle: &[usize]) -> String {
    let mut lines = Vec::new();
    for path in loops(uses, circle).iter().take(LOOPS_SHOWN) {
        let names: Vec<&str> =
            path.iter().chain(path.first()).map(|file| short(&room.files[*file].path)).collect();
        lines.push(format!("loop: {}", names.join(" -> ")));
    }
    for ((from, to), names) in uses {
        if circle.contains(from) && circle.contains(to) {
            let line = names.values().min().copied().unwrap_or(0);
            let mut shown: Vec<&str> = names.keys().take(NAMES_SHOWN).map(String::as_str).collect();
            if names.len() > NAMES_SHOWN {
                shown.push("…");
            }
            let (from, to) = (&room.files[*from].path, short(&room.files[*to].path));
            lines.push(format!("{from}:{line} uses {to} ({})", shown.join(", ")));
        }
    }
    format!("a circle of files:\n        {}", lines.join("\n        "))
}
