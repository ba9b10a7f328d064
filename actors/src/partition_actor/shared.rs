//! What a partition actor folds into, which queries read beside it.
//!
//! A query that asks the actor waits for a turn of its thread, and then for one of its own: two threads are woken for
//! what takes microseconds to read. So members are read where the query is, between two changes. Nobody who
//! reads waits: while the actor folds, takes a commit or loads, its mailbox is where to ask.

use nearline_model::{MemberSnapshot, Partition, Position};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, Weak};

/// The actor's end: it alone changes the partition, and the partition goes with it.
#[derive(Debug)]
pub(super) struct SharedPartition(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    partition: Mutex<Partition>,
    is_over: AtomicBool,
}

impl SharedPartition {
    pub fn new(partition: Partition) -> Self {
        Self(Arc::new(Shared { partition: Mutex::new(partition), is_over: AtomicBool::new(false) }))
    }

    /// Does something with it, and nobody reads meanwhile. If that panics, nobody ever reads it again.
    pub fn with<T>(&self, act: impl FnOnce(&mut Partition) -> T) -> T {
        // Where a reader panicked, the actor ends here and is built anew, as if it had been asked.
        act(&mut self.0.partition.lock().expect("nobody has panicked over it since the actor was built"))
    }

    /// Nobody is to read it any more.
    pub fn close(&self) {
        self.0.is_over.store(true, SeqCst);
    }

    /// For those who read.
    pub fn members(&self) -> Members {
        Members(Arc::downgrade(&self.0))
    }
}

/// The members of a partition as its actor has folded them.
#[derive(Debug, Clone)]
pub(crate) struct Members(Weak<Shared>);

impl Members {
    /// A member's state at a position of at least `after`; `None`: only the actor can tell. It is changing something,
    /// has ended, has not come so far, or must load the member first.
    pub(crate) fn read(&self, member: &str, complete: bool, after: Position) -> Option<MemberSnapshot> {
        let shared = self.0.upgrade()?;
        let mut partition = shared.partition.try_lock().ok()?;
        let can_tell = !shared.is_over.load(SeqCst) && partition.folded() >= after;
        can_tell.then(|| partition.ready(member, complete)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_model::{FoldSettings, PartitionId};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// One with nothing folded, that knows of `ana`.
    fn shared() -> SharedPartition {
        let shared = SharedPartition::new(Partition::new(PartitionId(0), 1, FoldSettings::default()));
        shared.with(|partition| partition.lookup("ana", false));
        shared
    }

    fn is_read(members: &Members) -> bool {
        members.read("ana", false, Position::START).is_some()
    }

    #[test]
    fn what_is_there_is_read_and_everything_else_is_left_to_the_actor() {
        let shared = shared();
        let members = shared.members();
        assert!(is_read(&members));
        assert!(members.read("ben", false, Position::START).is_none(), "it was never asked for");
        assert!(members.read("ana", false, Position(1)).is_none(), "nothing is folded");
        shared.with(|_| assert!(!is_read(&members), "it is being changed"));
        assert!(is_read(&members));
    }

    #[test]
    fn nobody_reads_what_has_ended_or_may_be_half_changed() {
        let (ended, broken, gone) = (shared(), shared(), shared());
        let members = [ended.members(), broken.members(), gone.members()];
        ended.close();
        let panicked = catch_unwind(AssertUnwindSafe(|| broken.with(|_| panic!("in the fold"))));
        assert!(panicked.is_err());
        drop(gone);
        assert!(!members.iter().any(is_read));
        // Nor does the actor go on with it, whoever it was that panicked.
        let goes_on = catch_unwind(AssertUnwindSafe(|| broken.with(|partition| partition.folded())));
        assert!(goes_on.is_err());
    }
}
