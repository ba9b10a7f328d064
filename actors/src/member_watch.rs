//! Watching single members: whoever shows a member's row is told when an event of that member is
//! folded, and of no other member's.
//!
//! The partition actor looks members up only while somebody watches, once per event of a batch, and
//! tells after the batch is folded. Watchers hold a position, not a queue: one that is slow misses
//! nothing but what was overtaken.

use nearline_model::Position;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::watch;

/// The members of one partition that are watched.
#[derive(Debug, Default)]
pub(crate) struct MemberWatches {
    /// Members in `members`, readable without its lock.
    count: AtomicUsize,
    members: Mutex<HashMap<Box<str>, watch::Sender<Position>>>,
}

/// The watched members that events of one batch are of.
#[derive(Debug)]
pub(crate) struct WatchedBatch {
    watched: Vec<(Box<str>, bool)>,
}

impl WatchedBatch {
    /// Notes an event of `member`.
    pub fn note(&mut self, member: &str) {
        if let Ok(at) = self.watched.binary_search_by(|(watched, _)| (**watched).cmp(member)) {
            self.watched[at].1 = true;
        }
    }
}

impl MemberWatches {
    /// Who is watched now; `None`, at the price of one load, if nobody is.
    pub fn watched(&self) -> Option<WatchedBatch> {
        if self.count.load(Relaxed) == 0 {
            return None;
        }
        let mut watched: Vec<_> = self.members.lock().keys().map(|member| (member.clone(), false)).collect();
        watched.sort_unstable();
        Some(WatchedBatch { watched })
    }

    /// Tells those whose member was noted that `position` is folded.
    pub fn tell(&self, batch: WatchedBatch, position: Position) {
        let noted = batch.watched.into_iter().filter(|(_, noted)| *noted);
        let members = self.members.lock();
        for (member, _) in noted {
            if let Some(sender) = members.get(&member) {
                sender.send_replace(position);
            }
        }
    }

    fn subscribe(&self, member: &str) -> watch::Receiver<Position> {
        let mut members = self.members.lock();
        let sender = members.entry(Box::from(member)).or_insert_with(|| watch::Sender::new(Position::START));
        let receiver = sender.subscribe();
        self.count.store(members.len(), Relaxed);
        receiver
    }

    fn unsubscribe(&self, member: &str, receiver: Option<watch::Receiver<Position>>) {
        let mut members = self.members.lock();
        // Under the lock: of two that go at once, the second is the last one.
        drop(receiver);
        if members.get(member).is_some_and(|sender| sender.receiver_count() == 0) {
            members.remove(member);
        }
        self.count.store(members.len(), Relaxed);
    }
}

/// Tells when events of one member are folded. Dropping it ends the watch.
pub struct MemberWatch {
    watches: Arc<MemberWatches>,
    member: Box<str>,
    /// Taken only when the watch ends.
    folded: Option<watch::Receiver<Position>>,
}

impl MemberWatch {
    pub(crate) fn on(watches: &Arc<MemberWatches>, member: &str) -> Self {
        let folded = watches.subscribe(member);
        Self { watches: watches.clone(), member: Box::from(member), folded: Some(folded) }
    }

    /// Waits until an event of the member is folded that was not told of before, and gives the
    /// position up to which the partition is then folded. Cancel safe.
    pub async fn changed(&mut self) -> Position {
        if let Some(folded) = &mut self.folded
            && folded.changed().await.is_ok()
        {
            return *folded.borrow_and_update();
        }
        // The sender goes only after its last receiver, which is this one.
        std::future::pending().await
    }
}

impl Drop for MemberWatch {
    fn drop(&mut self) {
        self.watches.unsubscribe(&self.member, self.folded.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_watchers_of_a_noted_member_are_told_and_the_last_one_ends_the_watch() {
        actix_rt::System::new().block_on(async {
            let watches = Arc::new(MemberWatches::default());
            assert!(watches.watched().is_none(), "nobody watches: nothing is looked up");
            let (mut ana, mut again, mut bob) = (
                MemberWatch::on(&watches, "ana"),
                MemberWatch::on(&watches, "ana"),
                MemberWatch::on(&watches, "bob"),
            );
            let mut batch = watches.watched().expect("watched");
            batch.note("ana");
            batch.note("zoe");
            watches.tell(batch, Position(7));
            assert_eq!((ana.changed().await, again.changed().await), (Position(7), Position(7)));
            let soon = Duration::from_millis(20);
            assert!(tokio::time::timeout(soon, bob.changed()).await.is_err(), "bob has no event");
            drop(ana);
            let mut batch = watches.watched().expect("still watched");
            batch.note("ana");
            watches.tell(batch, Position(9));
            assert_eq!(again.changed().await, Position(9));
            drop((again, bob));
            assert!(watches.watched().is_none());
        });
    }
}
