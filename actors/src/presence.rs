//! Whether this process is there: one that was paused or starved for longer than its lease does not know what became
//! of its partitions meanwhile, and says `live` again only once the store has confirmed that they are still its own. One
//! that the registry has not heard of for so long runs on: the store refuses it if another has taken over. But neither knows
//! what became of the store in between ([`Attendance`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use tokio::time::Instant;

/// When this process was seen to run last, by the loop that owns partitions, and heard of, by the registry.
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

    /// What the process said at `said_ms` was taken by the registry: nobody takes it for dead within a lease from then on.
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

/// What an actor knows of this process's absences: after each of them, it asks the store anew.
#[derive(Debug)]
pub(crate) struct Attendance {
    presence: Arc<Presence>,
    /// Absences that were noticed when it asked last.
    known: AtomicU64,
    asked_ms: AtomicU64,
}

impl Attendance {
    /// Of an actor that asks the store from now on.
    pub(crate) fn new(presence: Arc<Presence>) -> Self {
        let (known, asked_ms) = (presence.absences.load(SeqCst), presence.now_ms());
        Self { presence, known: known.into(), asked_ms: asked_ms.into() }
    }

    /// Whether the process was absent since it asked last, or is. What it has been at since `began_ms` may have waited for as
    /// long, which is the same.
    pub(crate) fn ask_after(&self, began_ms: u64) -> Option<Absences> {
        self.ask_at(self.presence.now_ms(), began_ms)
    }

    fn ask_at(&self, now_ms: u64, began_ms: u64) -> Option<Absences> {
        let presence = &self.presence;
        let since = |then_ms: u64| now_ms.saturating_sub(then_ms) > presence.lease_ms;
        // In this order: one that is noticed in between is counted.
        let is_absent = presence.is_away_at(now_ms) || presence.is_unheard_at(now_ms) || since(began_ms);
        let noticed = presence.absences.load(SeqCst);
        // Once a lease: whoever asks keeps snapshots of the sums from being stored for a moment.
        let is_owed = is_absent && since(self.asked_ms.load(SeqCst));
        (is_owed || noticed != self.known.load(SeqCst)).then_some(Absences { noticed, now_ms })
    }

    /// The store was asked.
    pub(crate) fn asked(&self, absences: Absences) {
        self.known.store(absences.noticed, SeqCst);
        self.asked_ms.store(absences.now_ms, SeqCst);
    }

    /// Milliseconds since the process began.
    pub(crate) fn now_ms(&self) -> u64 {
        self.presence.now_ms()
    }
}

/// The absences that are asked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Absences {
    noticed: u64,
    now_ms: u64,
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

    /// Asks when it is to; whether it was.
    fn asks(attendance: &Attendance, now_ms: u64) -> bool {
        let absences = attendance.ask_at(now_ms, now_ms);
        absences.into_iter().for_each(|absences| attendance.asked(absences));
        absences.is_some()
    }

    #[test]
    fn after_a_pause_is_asked_whoever_notices_it_first() {
        let presence = Arc::new(Presence::new(2_000));
        presence.heard(1_000);
        let attendance = Attendance::new(presence.clone());
        assert!(!asks(&attendance, 2_000));
        assert!(asks(&attendance, 2_001), "before anybody has noticed");
        assert!(presence.see_at(2_002) && asks(&attendance, 2_003), "what was noticed since is asked after");
        assert!(!asks(&attendance, 2_004));
        presence.heard(4_000);
        assert!(presence.see_at(4_100));
        let built = Attendance::new(presence.clone());
        assert!(asks(&attendance, 4_200) && !asks(&built, 4_200), "who was built since asked then");
    }

    #[test]
    fn whoever_is_not_heard_of_asks_once_a_lease_and_once_more() {
        let presence = Arc::new(Presence::new(2_000));
        let attendance = Attendance::new(presence.clone());
        let seen_and_asks = |now_ms| {
            presence.see_at(now_ms - 1);
            asks(&attendance, now_ms)
        };
        presence.heard(1_500);
        let asked = [1_900, 3_500, 3_501, 3_600, 5_501, 5_502].map(seen_and_asks);
        assert_eq!(asked, [false, false, true, false, false, true]);
        presence.heard(5_600);
        let asked = [5_700, 5_701, 7_600].map(seen_and_asks);
        assert_eq!(asked, [true, false, false], "the store may have been set back since it asked");
    }

    #[test]
    fn whatever_was_begun_longer_than_a_lease_ago_is_asked_for() {
        let presence = Arc::new(Presence::new(2_000));
        presence.heard(2_900);
        presence.see_at(2_900);
        let attendance = Attendance::new(presence);
        assert_eq!(attendance.ask_at(3_000, 1_000), None);
        assert!(attendance.ask_at(3_001, 1_000).is_some());
    }
}
