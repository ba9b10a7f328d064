//! What was found when something was examined: whether it is as it should be, and what to do where it is not.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and will not under some circumstances.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is of: `nats`, `redis`, `disk`.
    pub part: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(part: &'static str, says: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Ok, says: says.into(), advice: None }
    }

    /// It works for now.
    pub fn warn(part: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Warn, says: says.into(), advice: Some(advice.into()) }
    }

    /// It does not work.
    pub fn fail(part: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Fail, says: says.into(), advice: Some(advice.into()) }
    }

    /// As [`Finding::ok`] if `is_well`, else as [`Finding::warn`].
    pub fn warn_unless(is_well: bool, part: &'static str, says: impl Into<String>, advice: &str) -> Self {
        if is_well { Self::ok(part, says) } else { Self::warn(part, says, advice) }
    }

    /// As [`Finding::ok`] if `is_well`, else as [`Finding::fail`].
    pub fn fail_unless(is_well: bool, part: &'static str, says: impl Into<String>, advice: &str) -> Self {
        if is_well { Self::ok(part, says) } else { Self::fail(part, says, advice) }
    }
}
