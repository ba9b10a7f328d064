//! Ids for what a data set calls by any name.

use super::report::Report;
use anyhow::bail;
use hashbrown::HashMap;
use nearline_model::identifier::{fingerprint, is_id};

/// Bytes of a name that stay readable in its id.
const READABLE_BYTES: usize = 40;

/// Names by number, each with its id: what is named a million times is kept once.
#[derive(Default)]
pub(super) struct Ids {
    numbers: HashMap<String, u32>,
    ids: Vec<String>,
}

impl Ids {
    /// The number of `name`.
    ///
    /// # Errors
    /// A name without a character.
    pub fn number(&mut self, field: &str, name: &str, report: &mut Report) -> anyhow::Result<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        if name.is_empty() {
            bail!("{field} is empty");
        }
        let id = id_of(name);
        if id != name {
            report.rename(name, &id);
        }
        let number = u32::try_from(self.ids.len())?;
        self.ids.push(id);
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The id with this number.
    pub fn id(&self, number: u32) -> &str {
        &self.ids[number as usize]
    }
}

/// `name` where it is an id; else what is readable of it, and a fingerprint, so that two names never become
/// one id, and the same name is the same id in every file.
pub(super) fn id_of(name: &str) -> String {
    if is_id(name) {
        return name.to_owned();
    }
    let readable: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
        .take(READABLE_BYTES)
        .collect();
    format!("{readable}-{:016x}", fingerprint(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_id_becomes_one_of_its_own() {
        assert_eq!(id_of("N123"), "N123");
        let long = "x".repeat(65);
        let names = ["a b", "a.b", "a_b", "é", "*", &long, "news/a|b"];
        let ids: Vec<String> = names.iter().map(|name| id_of(name)).collect();
        assert!(ids.iter().all(|id| is_id(id)), "{ids:?}");
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{id} twice");
            assert_eq!(*id, id_of(names[at]), "the same each time");
        }
    }
}
