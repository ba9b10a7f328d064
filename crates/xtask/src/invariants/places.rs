//! The places at which invariants are checked, judged and named.

use crate::Workspace;
use crate::source::Folder;
use std::collections::{BTreeMap, BTreeSet};

/// The macro that checks one in the product.
const MACRO: &str = "check_invariant";
/// The room whose oracle judges them from outside.
const HARNESS: &str = "chaos";

/// A function that checks an invariant. Two checks in one function are one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the file below the root.
    pub file: String,
    /// The function, after its type.
    pub function: String,
}

/// Places by the invariant's name.
#[derive(Debug, Default)]
pub struct Places {
    /// `check_invariant!` in the product.
    pub checked: BTreeMap<String, BTreeSet<Place>>,
    /// Files of the harness that say its name in a text.
    pub judged: BTreeMap<String, BTreeSet<String>>,
    /// Files of tests that name it, in a comment or a text.
    pub tests: BTreeMap<String, BTreeSet<String>>,
}

/// Finds all of them.
pub fn places(workspace: &Workspace) -> Places {
    let mut places = Places::default();
    for (room, file) in workspace.files() {
        // The checks themselves are no part of what they check.
        if room.name == "xtask" {
            continue;
        }
        if let Some(scanned) = file.in_product() {
            for call in scanned.macros.iter().filter(|call| call.name == MACRO) {
                let function = call.function.map(|at| scanned.functions[at].name.clone()).unwrap_or_default();
                let place = Place { file: file.path.clone(), function };
                places.checked.entry(call.word.clone().unwrap_or_default()).or_default().insert(place);
            }
            if room.name == HARNESS {
                let names = scanned.texts.iter().flat_map(|text| names_in(&text.value));
                note(&mut places.judged, names, &file.path);
            }
        } else if file.folder == Folder::Test {
            note(&mut places.tests, names_in(&file.text), &file.path);
        }
    }
    places
}

fn note(into: &mut BTreeMap<String, BTreeSet<String>>, names: impl IntoIterator<Item = String>, file: &str) {
    for name in names {
        into.entry(name).or_default().insert(file.to_owned());
    }
}

/// Words such as `I3`.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let is_name = |word: &&str| {
        word.strip_prefix('I')
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|sign| sign.is_ascii_digit()))
    };
    words.filter(is_name).map(str::to_owned).collect()
}
