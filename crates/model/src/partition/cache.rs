//! The members held in memory: a bounded cache in which nothing uncommitted is ever evicted.
//!
//! Eviction is CLOCK (second chance; Corbató 1968): a hand goes round and takes what was not
//! touched since it came by last.

use crate::member::Member;
use compact_str::CompactString;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Place of a member in the cache.
pub type Slot = u32;

/// What the cache has of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing: a place was made, the state must be loaded.
    New,
    /// A place; the state is on its way.
    Loading,
    /// The state.
    Ready,
}

#[derive(Debug)]
struct Entry {
    member: CompactString,
    state: Option<Member>,
    /// Batches that will still fold events of this member.
    pins: u32,
    /// Changed since the last commit was taken.
    changed: bool,
    /// Part of commits that are not confirmed.
    unconfirmed: u32,
    referenced: bool,
}

/// Members by name, in slots that stay put. The index holds slots only and names are kept inline:
/// members are touched at random, so what counts is the number of cache lines per look.
#[derive(Debug, Default)]
pub(super) struct Cache {
    slots: Vec<Option<Entry>>,
    free: Vec<Slot>,
    by_name: HashTable<Slot>,
    hasher: DefaultHashBuilder,
    hand: usize,
}

impl Cache {
    /// Finds or makes a place for `member` and keeps it until [`Cache::unpin`].
    pub fn pin(&mut self, member: &str) -> (Slot, Held) {
        let (slot, held) = self.touch(member);
        self.entry_mut(slot).pins += 1;
        (slot, held)
    }

    /// Lets a pinned place go.
    pub fn unpin(&mut self, slot: Slot) {
        self.entry_mut(slot).pins -= 1;
    }

    /// Finds or makes a place for `member`.
    pub fn touch(&mut self, member: &str) -> (Slot, Held) {
        let hash = self.hasher.hash_one(member);
        if let Some(slot) = self.find(hash, member) {
            let entry = self.entry_mut(slot);
            entry.referenced = true;
            return (slot, if entry.state.is_some() { Held::Ready } else { Held::Loading });
        }
        let entry = Entry {
            member: CompactString::new(member),
            state: None,
            pins: 0,
            changed: false,
            unconfirmed: 0,
            referenced: true,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(entry);
                slot
            }
            None => {
                self.slots.push(Some(entry));
                self.slots.len() as Slot - 1
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.by_name.insert_unique(hash, slot, |slot| hasher.hash_one(name_in(slots, *slot)));
        (slot, Held::New)
    }

    fn find(&self, hash: u64, member: &str) -> Option<Slot> {
        self.by_name.find(hash, |slot| name_in(&self.slots, *slot) == member).copied()
    }

    /// Puts a loaded state into its place, unless it is there already.
    pub fn fill(&mut self, slot: Slot, state: Member) {
        self.entry_mut(slot).state.get_or_insert(state);
    }

    pub fn is_ready(&self, slot: Slot) -> bool {
        self.entry(slot).state.is_some()
    }

    pub fn name(&self, slot: Slot) -> &str {
        &self.entry(slot).member
    }

    pub fn state(&self, slot: Slot) -> &Member {
        self.entry(slot).state.as_ref().expect("only loaded members are read")
    }

    pub fn state_mut(&mut self, slot: Slot) -> &mut Member {
        self.entry_mut(slot).state.as_mut().expect("a batch is folded only when its members are loaded")
    }

    /// Marks a member changed; true if it was not.
    pub fn mark_changed(&mut self, slot: Slot) -> bool {
        !std::mem::replace(&mut self.entry_mut(slot).changed, true)
    }

    /// The member's change becomes part of a commit.
    pub fn take_changed(&mut self, slot: Slot) {
        let entry = self.entry_mut(slot);
        entry.changed = false;
        entry.unconfirmed += 1;
    }

    /// A commit that `member` was part of is confirmed.
    pub fn committed(&mut self, member: &str) {
        if let Some(slot) = self.find(self.hasher.hash_one(member), member) {
            let entry = self.entry_mut(slot);
            entry.unconfirmed = entry.unconfirmed.saturating_sub(1);
        }
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.slots.iter().flatten().filter_map(|entry| Some((entry.member.as_str(), entry.state.as_ref()?)))
    }

    /// Evicts what is loaded, committed and not pinned until at most `limit` members are left, or
    /// the hand has gone round twice. Gives the number evicted.
    pub fn evict(&mut self, limit: usize) -> usize {
        let mut evicted = 0;
        let mut steps = self.slots.len() * 2;
        while self.by_name.len() > limit && steps > 0 {
            steps -= 1;
            self.hand = if self.hand + 1 >= self.slots.len() { 0 } else { self.hand + 1 };
            let Some(entry) = &mut self.slots[self.hand] else { continue };
            if std::mem::take(&mut entry.referenced)
                || entry.pins > 0
                || entry.changed
                || entry.unconfirmed > 0
                || entry.state.is_none()
            {
                continue;
            }
            let (hash, slot) = (self.hasher.hash_one(entry.member.as_str()), self.hand as Slot);
            if let Ok(found) = self.by_name.find_entry(hash, |known| *known == slot) {
                found.remove();
            }
            self.slots[self.hand] = None;
            self.free.push(slot);
            evicted += 1;
        }
        evicted
    }

    fn entry(&self, slot: Slot) -> &Entry {
        self.slots[slot as usize].as_ref().expect("slots in use are not evicted")
    }

    fn entry_mut(&mut self, slot: Slot) -> &mut Entry {
        self.slots[slot as usize].as_mut().expect("slots in use are not evicted")
    }
}

/// The name of the member in `slot`; empty for a free slot, which no index entry points to.
fn name_in(slots: &[Option<Entry>], slot: Slot) -> &str {
    slots[slot as usize].as_ref().map_or("", |entry| entry.member.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_committed_members_that_nobody_needs_are_evicted() {
        let mut cache = Cache::default();
        for member in ["changed", "pinned", "unconfirmed", "loading", "idle"] {
            let (slot, _) = cache.touch(member);
            if member != "loading" {
                cache.fill(slot, Member::default());
            }
        }
        let slot = |cache: &mut Cache, member: &str| cache.touch(member).0;
        let changed = slot(&mut cache, "changed");
        cache.mark_changed(changed);
        cache.pin("pinned");
        let unconfirmed = slot(&mut cache, "unconfirmed");
        cache.mark_changed(unconfirmed);
        cache.take_changed(unconfirmed);
        assert_eq!(cache.evict(0), 1);
        assert_eq!(cache.touch("idle").1, Held::New);
        cache.committed("unconfirmed");
        assert_eq!(cache.evict(0), 1);
        assert_eq!(cache.touch("unconfirmed").1, Held::New);
    }
}
