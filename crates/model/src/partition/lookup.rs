//! Members looked up for queries.

use super::Partition;
use super::cache::{Held, Slot};
use crate::member::MemberSnapshot;

/// What a look into the cache found.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// The member's state.
    Ready(Box<MemberSnapshot>),
    /// The member is being loaded.
    Loading,
    /// The member must be loaded; it now counts as being loaded.
    Missing(Slot),
}

impl Partition {
    /// Looks a member up for a query.
    pub fn lookup(&mut self, member: &str, complete: bool) -> Lookup {
        let (slot, held) = self.cache.touch(member);
        match held {
            Held::New if !self.has_all_members => Lookup::Missing(slot),
            Held::Loading => Lookup::Loading,
            Held::Ready | Held::New => {
                if held == Held::New {
                    self.cache.fill_new(slot);
                }
                Lookup::Ready(Box::new(self.snapshot(slot, member, complete)))
            }
        }
    }

    /// The member's state, if it is in the cache; nothing is asked for where it is not.
    pub fn ready(&mut self, member: &str, complete: bool) -> Option<MemberSnapshot> {
        let slot = self.cache.touch_ready(member)?;
        Some(self.snapshot(slot, member, complete))
    }

    fn snapshot(&mut self, slot: Slot, member: &str, complete: bool) -> MemberSnapshot {
        if let Some(capture) = &mut self.capture {
            capture.seen(slot);
        }
        let state = self.cache.state(slot);
        let text = |symbol| self.names.text(symbol).clone();
        let snapshot = MemberSnapshot::new(member, self.folded, &state, text, complete);
        drop(state);
        self.cache.pack_idle(slot);
        snapshot
    }
}
