//! What keeps this node from taking part, in the words of whoever tried, until it can: readiness tells it.

use parking_lot::Mutex;
use std::collections::BTreeMap;

/// What a node must be able to do to take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Write into the store and the log.
    Work,
    /// Tell the registry of itself.
    Announce,
    /// Hear of the other nodes.
    Watch,
    /// Be the only process of its name.
    Name,
}

impl Need {
    fn hindrance(self) -> &'static str {
        match self {
            Self::Work => "its store or its log does not work",
            Self::Announce => "it cannot announce itself",
            Self::Watch => "it cannot watch the other nodes",
            Self::Name => "its name is not its own",
        }
    }
}

/// The needs that are not met now, and why.
#[derive(Debug, Default)]
pub(crate) struct Hindrances(Mutex<BTreeMap<Need, String>>);

impl Hindrances {
    /// It was tried in vain.
    pub(super) fn failed(&self, need: Need, why: impl std::fmt::Display) {
        self.0.lock().insert(need, why.to_string());
    }

    /// It was done.
    pub(super) fn done(&self, need: Need) {
        self.0.lock().remove(&need);
    }

    /// All of them; `None`: there are none.
    pub(crate) fn tell(&self) -> Option<String> {
        let hindrances = self.0.lock();
        let each = hindrances.iter().map(|(need, why)| format!("{}: {why}", need.hindrance()));
        Some(each.collect::<Vec<_>>().join("; ")).filter(|told| !told.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_does_not_work_now() {
        let hindrances = Hindrances::default();
        assert_eq!(hindrances.tell(), None);
        hindrances.failed(Need::Announce, "no answer");
        hindrances.failed(Need::Work, "full");
        hindrances.failed(Need::Work, "read-only");
        let both = "its store or its log does not work: read-only; it cannot announce itself: no answer";
        assert_eq!(hindrances.tell().as_deref(), Some(both));
        hindrances.done(Need::Work);
        assert_eq!(hindrances.tell().as_deref(), Some("it cannot announce itself: no answer"));
        hindrances.done(Need::Announce);
        assert_eq!(hindrances.tell(), None);
    }
}
