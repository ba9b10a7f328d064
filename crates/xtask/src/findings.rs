//! Findings, and the list of those that are known.

use crate::files::read_toml;
use crate::{Workspace, XtaskError};
use serde::Deserialize;

/// Where known findings are listed.
pub const ALLOWED: &str = "crates/xtask/allowed.toml";

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The rule, after the check it belongs to: `tidy/function`.
    pub rule: String,
    /// What breaks it, in words that stay when lines move.
    pub what: String,
    /// Where, and what is wrong.
    pub detail: String,
    /// How large, where the rule is about a size.
    pub size: Option<usize>,
}

impl Finding {
    /// A finding without a size.
    pub fn new(rule: &str, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { rule: rule.to_owned(), what: what.into(), detail: detail.into(), size: None }
    }

    /// The same with a size.
    #[must_use]
    pub fn of_size(self, size: usize) -> Self {
        Self { size: Some(size), ..self }
    }
}

impl Finding {
    /// An entry of the list for it, without a reason.
    pub fn as_entry(&self) -> String {
        let bound = self.size.map_or(String::new(), |size| format!("at_most = {size}\n"));
        format!("[[allowed]]\nrule = {:?}\nwhat = {:?}\n{bound}reason = \"\"\n", self.rule, self.what)
    }
}

/// The list of known findings.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allowed {
    /// The entries.
    pub allowed: Vec<Entry>,
}

/// One known finding.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// As in [`Finding::rule`].
    pub rule: String,
    /// As in [`Finding::what`].
    pub what: String,
    /// Why it may stay for now.
    pub reason: String,
    /// The size that it may have at most, if its rule is about one: it must not grow.
    pub at_most: Option<usize>,
}

impl Allowed {
    /// Reads the list; an empty one if there is no file.
    ///
    /// # Errors
    /// If it cannot be read or has other keys.
    pub fn read(workspace: &Workspace) -> Result<Self, XtaskError> {
        let path = workspace.root.join(ALLOWED);
        if path.is_file() { read_toml(&path) } else { Ok(Self::default()) }
    }
}

/// Findings held against the list.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Findings that are not on the list, have grown, or are about the list itself.
    pub new: Vec<Finding>,
    /// Findings that are on it, with the reason.
    pub known: Vec<(Finding, String)>,
}

impl Verdict {
    /// Holds the findings of one check against the entries of its rules. An entry that nothing matches is stale, and
    /// one without a reason is no entry.
    pub fn of(check: &str, findings: Vec<Finding>, allowed: &Allowed) -> Self {
        let mut verdict = Self::default();
        let entries: Vec<&Entry> =
            allowed.allowed.iter().filter(|entry| entry.rule.split('/').next() == Some(check)).collect();
        let mut used = vec![false; entries.len()];
        for finding in findings {
            let entry =
                entries.iter().position(|entry| (&entry.rule, &entry.what) == (&finding.rule, &finding.what));
            match entry {
                Some(at) => {
                    used[at] = true;
                    verdict.allow(finding, entries[at]);
                }
                None => verdict.new.push(finding),
            }
        }
        for (entry, used) in entries.into_iter().zip(used) {
            let what = format!("{}: {}", entry.rule, entry.what);
            if !used {
                let detail =
                    format!("nothing breaks this rule there any more; take the entry out of {ALLOWED}");
                verdict.new.push(Finding::new(&format!("{check}/stale"), what, detail));
            } else if entry.reason.trim().is_empty() {
                let detail = format!("the entry in {ALLOWED} says no reason");
                verdict.new.push(Finding::new(&format!("{check}/reason"), what, detail));
            }
        }
        verdict
    }

    fn allow(&mut self, mut finding: Finding, entry: &Entry) {
        match (finding.size, entry.at_most) {
            (Some(size), Some(most)) if size > most => {
                finding.detail = format!("{}; it was allowed {most} and has grown", finding.detail);
                self.new.push(finding);
            }
            (Some(_), None) => {
                finding.detail = format!("{}; its entry in {ALLOWED} needs at_most", finding.detail);
                self.new.push(finding);
            }
            _ => self.known.push((finding, entry.reason.clone())),
        }
    }

    /// Whether nothing is new.
    pub fn passes(&self) -> bool {
        self.new.is_empty()
    }
}
