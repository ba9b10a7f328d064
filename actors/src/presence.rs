//! Whether this process is there: one that was paused or starved for longer than its lease does not know what became
//! of its partitions meanwhile, and says `live` again only once the store has confirmed that they are still its own. One
//! that the registry has not heard of for so long runs on: the store refuses it if another has taken over. But neither knows
//! what became of the store in between ([`Attendance`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::time::Instant;

/// When this process was seen to run last, by the loop that owns partitions.
#[derive(Debug)]
pub(crate) struct Presence {
    origin: Instant,
    lease_ms: u64,
    seen_ms: AtomicU64,
    /// When it said last what the registry took.
    heard_ms: AtomicU64,
    /// How often it was away, as far as was noticed.
    absences: AtomicU64,
    proving: AtomicBool,
}

impl Presence {
    /// Seen now.
    pub(crate) fn new(lease_ms: u64) -> Self {
        Self {
            origin: Instant::now(),
            lease_ms,
            seen_ms: AtomicU64::new(0),
            heard_ms: AtomicU64::new(0),
            absences: AtomicU64::new(0),
            proving: AtomicBool::new(false),
        }
    }

    /// The process runs. Whether it was away for longer than its lease: then what it owns is to be proved.
    pub(crate) fn see(&self) -> bool {
        self.see_at(self.now_ms())
    }

    fn see_at(&self, now_ms: u64) -> bool {
        let was_away = self.is_away_at(now_ms);
        if was_away {
            // First of all: nobody finds it there in between.
            self.proving.store(true, SeqCst);
            self.absences.fetch_add(1, SeqCst);
        }
        self.seen_ms.store(now_ms, SeqCst);
        was_away
    }

    /// What the process said at `said_ms` was taken by the registry: nobody takes its partitions within a lease from then on.
    pub(crate) fn heard(&self, said_ms: u64) {
        if self.is_unheard_at(said_ms) {
            self.absences.fetch_add(1, SeqCst);
        }
        self.heard_ms.store(said_ms, SeqCst);
    }

    /// What it owns is its own, or was let go.
    pub(crate) fn prove(&self) {
        self.proving.store(false, SeqCst);
    }

    /// Whether an answer from memory is the owner's.
    pub(crate) fn is_there(&self) -> bool {
        self.is_there_at(self.now_ms())
    }

    fn is_there_at(&self, now_ms: u64) -> bool {
        !self.proving.load(SeqCst) && !self.is_away_at(now_ms)
    }

    fn absences_at(&self, now_ms: u64) -> u64 {
        // In this order: one that is noticed in between is counted, if twice.
        let is_away = self.is_away_at(now_ms);
        self.absences.load(SeqCst) + u64::from(is_away)
    }

    /// Milliseconds since it was made.
    pub(crate) fn now_ms(&self) -> u64 {
        self.origin.elapsed().as_millis() as u64
    }

    fn is_away_at(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.seen_ms.load(SeqCst)) > self.lease_ms
    }

    fn is_unheard_at(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.heard_ms.load(SeqCst)) > self.lease_ms
    }
}

/// The absences that somebody knows of who asked the store after each of them.
#[derive(Debug)]
pub(crate) struct Attendance {
    presence: Arc<Presence>,
    known: AtomicU64,
}

impl Attendance {
    /// Of somebody who asks the store from now on.
    pub(crate) fn new(presence: Arc<Presence>) -> Self {
        let known = AtomicU64::new(presence.absences_at(presence.now_ms()));
        Self { presence, known }
    }

    /// The absences so far, if there was one since the store was asked last, or there is one.
    pub(crate) fn absences(&self) -> Option<u64> {
        self.absences_by(self.presence.now_ms())
    }

    fn absences_by(&self, now_ms: u64) -> Option<u64> {
        // First of all, as above.
        let is_unheard = self.presence.is_unheard_at(now_ms);
        let absences = self.presence.absences_at(now_ms);
        (is_unheard || absences != self.known.load(SeqCst)).then_some(absences)
    }

    /// The store was asked after so many.
    pub(crate) fn asked_after(&self, absences: u64) {
        self.known.store(absences, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_away_for_longer_than_its_lease_is_not_there_until_it_is_proved() {
        let presence = Presence::new(2_000);
        assert!(presence.is_there_at(2_000) && !presence.see_at(2_000));
        assert!(!presence.is_there_at(4_001), "before anybody has noticed");
        assert!(presence.see_at(4_001) && !presence.is_there_at(4_001));
        assert!(!presence.see_at(4_002) && !presence.is_there_at(4_002), "seeing is no proof");
        presence.prove();
        assert!(presence.is_there_at(4_003));
    }

    #[test]
    fn an_absence_is_told_of_once_whoever_notices_it() {
        let presence = Presence::new(2_000);
        assert_eq!(presence.absences_at(2_000), 0);
        assert_eq!(presence.absences_at(2_001), 1, "before anybody has noticed");
        assert!(presence.see_at(2_002));
        assert_eq!(presence.absences_at(2_003), 1);
        assert!(!presence.see_at(4_002) && presence.see_at(6_003));
        assert_eq!(presence.absences_at(6_004), 2);
    }

    #[test]
    fn whoever_was_not_heard_of_asks_every_time_and_once_more() {
        let presence = Arc::new(Presence::new(2_000));
        let attendance = Attendance::new(presence.clone());
        presence.heard(1_500);
        presence.see_at(2_000);
        presence.see_at(3_400);
        assert_eq!(attendance.absences_by(3_500), None);
        for now_ms in [3_501, 3_600] {
            let absences = attendance.absences_by(now_ms).expect("not heard of for longer than the lease");
            attendance.asked_after(absences);
        }
        presence.heard(3_700);
        let absences =
            attendance.absences_by(3_800).expect("the store may have been set back since it asked");
        attendance.asked_after(absences);
        assert_eq!(attendance.absences_by(3_801), None);
    }
}
