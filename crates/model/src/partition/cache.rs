//! The members held in memory: a bounded cache in which nothing uncommitted is ever evicted.
//!
//! Eviction is CLOCK (second chance; Corbató 1968): a hand goes round and takes what was not
//! touched since it came by last.
//!
//! Beyond a number of them, members lie *packed*: in their stored form, a few hundred bytes instead of a dozen
//! lists. They are packed when their commit is confirmed, with the bytes that it wrote, and unpacked
//! when an event is folded into them; a query reads them as they lie.

use crate::member::Member;
use compact_str::CompactString;
use get_size2::GetSize;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::borrow::Cow;
use std::hash::BuildHasher;

/// Members that lie unpacked at most, unless said otherwise, beside those that are pinned or uncommitted.
const UNPACKED: usize = 1_024;

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

#[derive(Debug, GetSize)]
enum State {
    Loading,
    Packed(Box<[u8]>),
    Unpacked(Box<Member>),
}

#[derive(Debug, GetSize)]
struct Entry {
    member: CompactString,
    state: State,
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
#[derive(Debug)]
pub(super) struct Cache {
    slots: Vec<Option<Entry>>,
    free: Vec<Slot>,
    by_name: HashTable<Slot>,
    hasher: DefaultHashBuilder,
    hand: usize,
    unpacked: usize,
    most_unpacked: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_name: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            hand: 0,
            unpacked: 0,
            most_unpacked: UNPACKED,
        }
    }
}

impl Cache {
    /// From now on at most `most` lie unpacked beside those that must.
    pub fn unpack_at_most(&mut self, most: usize) {
        self.most_unpacked = most;
    }

    /// Finds or makes a place for `member` and keeps it until [`Cache::unpin`].
    pub fn pin(&mut self, member: &str) -> (Slot, Held) {
        let (slot, held) = self.touch(member);
        self.entry_mut(slot).pins += 1;
        (slot, held)
    }

    /// Lets a pinned place go.
    pub fn unpin(&mut self, slot: Slot) {
        self.entry_mut(slot).pins -= 1;
        // Where nothing came of the events that it was unpacked for.
        self.pack_idle(slot);
    }

    /// Packs the member in `slot` if nothing is waiting for it, and there are too many like it.
    pub fn pack_idle(&mut self, slot: Slot) {
        if self.is_to_be_packed(slot)
            && let State::Unpacked(state) = &self.entry(slot).state
        {
            let stored = state.encode();
            self.pack(slot, stored.into());
        }
    }

    /// Finds or makes a place for `member`.
    pub fn touch(&mut self, member: &str) -> (Slot, Held) {
        let hash = self.hasher.hash_one(member);
        if let Some(slot) = self.find(hash, member) {
            let entry = self.entry_mut(slot);
            entry.referenced = true;
            let is_loading = matches!(entry.state, State::Loading);
            return (slot, if is_loading { Held::Loading } else { Held::Ready });
        }
        let entry = Entry {
            member: CompactString::new(member),
            state: State::Loading,
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

    /// Finds `member`, if its state is there.
    pub fn touch_ready(&mut self, member: &str) -> Option<Slot> {
        let slot = self.find(self.hasher.hash_one(member), member).filter(|slot| self.is_ready(*slot))?;
        self.entry_mut(slot).referenced = true;
        Some(slot)
    }

    fn find(&self, hash: u64, member: &str) -> Option<Slot> {
        self.by_name.find(hash, |slot| name_in(&self.slots, *slot) == member).copied()
    }

    /// Puts the state of a member that the store has not into its place, unless there is one already.
    pub fn fill_new(&mut self, slot: Slot) {
        let entry = self.entry_mut(slot);
        if matches!(entry.state, State::Loading) {
            entry.state = State::Unpacked(Box::default());
            self.unpacked += 1;
        }
    }

    /// Puts a loaded state, whose stored form is at hand, into its place, unless there is one already. It lies
    /// unpacked where events wait for it.
    pub fn fill(&mut self, slot: Slot, stored: &[u8], state: Member) {
        let entry = self.entry_mut(slot);
        if !matches!(entry.state, State::Loading) {
            return;
        }
        if entry.pins == 0 {
            entry.state = State::Packed(stored.into());
        } else {
            entry.state = State::Unpacked(Box::new(state));
            self.unpacked += 1;
        }
    }

    pub fn is_ready(&self, slot: Slot) -> bool {
        !matches!(self.entry(slot).state, State::Loading)
    }

    pub fn name(&self, slot: Slot) -> &str {
        &self.entry(slot).member
    }

    /// The state in `slot`, read from its stored form where it lies packed.
    pub fn state(&self, slot: Slot) -> Cow<'_, Member> {
        self.entry(slot).state().expect("only loaded members are read")
    }

    /// The state in `slot`, which is unpacked: it was changed since the last commit, or is about to be.
    pub fn unpacked(&self, slot: Slot) -> &Member {
        match &self.entry(slot).state {
            State::Unpacked(state) => state,
            State::Packed(_) | State::Loading => panic!("a member that is changed is unpacked first"),
        }
    }

    /// Unpacks the member in `slot`, which is loaded.
    pub fn unpack(&mut self, slot: Slot) -> &mut Member {
        let (entry, unpacked) = (self.slots[slot as usize].as_mut(), &mut self.unpacked);
        let state = &mut entry.expect("slots in use are not evicted").state;
        if let State::Packed(bytes) = state {
            *state = State::Unpacked(Box::new(read(bytes)));
            *unpacked += 1;
        }
        match state {
            State::Unpacked(state) => state,
            State::Packed(_) | State::Loading => panic!("a batch is folded only when its members are loaded"),
        }
    }

    /// Whether the member in `slot` lies unpacked though the store has it and nobody needs it, and there are
    /// more of them than there should be.
    fn is_to_be_packed(&self, slot: Slot) -> bool {
        let entry = self.entry(slot);
        self.unpacked > self.most_unpacked && entry.pins == 0 && !entry.changed && entry.unconfirmed == 0
    }

    fn pack(&mut self, slot: Slot, stored: Box<[u8]>) {
        if let State::Unpacked(_) = std::mem::replace(&mut self.entry_mut(slot).state, State::Packed(stored))
        {
            self.unpacked -= 1;
        }
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

    /// A commit that wrote `stored` of `member` is confirmed.
    pub fn committed(&mut self, member: &str, stored: &[u8]) {
        if let Some(slot) = self.find(self.hasher.hash_one(member), member) {
            let entry = self.entry_mut(slot);
            entry.unconfirmed = entry.unconfirmed.saturating_sub(1);
            if self.is_to_be_packed(slot) && matches!(self.entry(slot).state, State::Unpacked(_)) {
                self.pack(slot, stored.into());
            }
        }
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Bytes held, those of free places included.
    pub fn memory_bytes(&self) -> usize {
        let held: usize = self.slots.iter().flatten().map(GetSize::get_heap_size).sum();
        held + self.slots.capacity() * size_of::<Option<Entry>>()
            + self.free.capacity() * size_of::<Slot>()
            + self.by_name.allocation_size()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, Member>)> {
        self.slots.iter().flatten().filter_map(|entry| Some((entry.member.as_str(), entry.state()?)))
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
                || matches!(entry.state, State::Loading)
            {
                continue;
            }
            self.unpacked -= usize::from(matches!(entry.state, State::Unpacked(_)));
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

impl Entry {
    fn state(&self) -> Option<Cow<'_, Member>> {
        match &self.state {
            State::Loading => None,
            State::Packed(bytes) => Some(Cow::Owned(read(bytes))),
            State::Unpacked(state) => Some(Cow::Borrowed(&**state)),
        }
    }
}

/// Reads a packed member: bytes that a commit wrote, or that were read when they were loaded.
fn read(stored: &[u8]) -> Member {
    Member::decode(stored).expect("it was read or written before")
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
                cache.fill_new(slot);
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
        cache.committed("unconfirmed", &Member::default().encode());
        assert_eq!(cache.evict(0), 1);
        assert_eq!(cache.touch("unconfirmed").1, Held::New);
    }

    #[test]
    fn only_what_the_store_has_and_nobody_needs_is_packed() {
        let mut cache = Cache::default();
        cache.unpack_at_most(1);
        let slots = ["a", "b", "c"].map(|member| cache.pin(member).0);
        let newest = |cache: &mut Cache, slot, ms| cache.unpack(slot).newest_ms = ms;
        for (slot, ms) in slots.into_iter().zip(1..) {
            cache.fill_new(slot);
            newest(&mut cache, slot, ms);
            cache.mark_changed(slot);
            cache.unpin(slot);
        }
        assert_eq!(cache.unpacked, 3, "all are changed");
        let stored = slots.map(|slot| {
            cache.take_changed(slot);
            cache.unpacked(slot).encode()
        });
        newest(&mut cache, slots[0], 10);
        cache.mark_changed(slots[0]);
        for (member, stored) in ["a", "b", "c"].into_iter().zip(&stored) {
            cache.committed(member, stored);
        }
        assert_eq!(cache.unpacked, 1, "the one that is changed again");
        assert_eq!(slots.map(|slot| cache.state(slot).newest_ms), [10, 2, 3]);
        let (again, held) = cache.pin("b");
        assert_eq!((again, held, cache.unpack(again).newest_ms), (slots[1], Held::Ready, 2));
        assert_eq!(cache.unpacked, 2, "it may be changed");
        cache.unpin(again);
        assert_eq!((cache.unpacked, cache.state(again).newest_ms), (1, 2), "it was not");
        cache.take_changed(slots[0]);
        cache.committed("a", &cache.unpacked(slots[0]).encode());
        assert_eq!(cache.unpacked, 1, "so many may lie ready");
        assert_eq!((cache.evict(0), cache.unpacked), (3, 0));
    }
}
