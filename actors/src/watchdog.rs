//! The watchdog of one partition: looks at what its actor, reader and thread do, and says what is
//! wrong. It lives with the supervisor, on a thread of its own, and takes the time as an argument.

use nearline_model::Position;
use std::time::{Duration, Instant};

/// Time between two looks.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Ticks of a thread within which its actors must have had their turn.
const TICKS_PER_TURN: u64 = 8;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symptom {
    /// The actor's thread does nothing at all.
    ThreadBlocked,
    /// The thread turns, the actor does not.
    ActorHung,
    /// Batches wait for the actor, which waits for nothing and does not fold them.
    NoProgress,
    /// The log has more than the reader brings, and the actor has nothing to do.
    ReaderStalled,
}

/// What can be seen of a partition from outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// How long the thread has done nothing.
    pub thread_still_for: Duration,
    /// Ticks of the thread.
    pub thread_ticks: u64,
    /// Times that the actor had its turn.
    pub actor_turns: u64,
    /// Batches that wait to be folded.
    pub pending_batches: u64,
    /// Requests to the store under way: the actor waits for an answer.
    pub waiting_for_store: bool,
    /// Position of the last record folded.
    pub folded: Position,
    /// Whether the reader is open; opening has a time-out of its own.
    pub reader_open: bool,
    /// Position of the last record that the reader brought.
    pub read: Position,
    /// Position of the last record in the log, as of the last look.
    pub log_last: Position,
}

/// Since when something has stood still.
#[derive(Debug, Clone, Copy)]
struct Still {
    value: u64,
    since: Instant,
    ticks: u64,
}

impl Still {
    fn new(value: u64, sample: &Sample, now: Instant) -> Self {
        Self { value, since: now, ticks: sample.thread_ticks }
    }

    /// Starts over if `value` has changed or `excused`.
    fn look(&mut self, value: u64, excused: bool, sample: &Sample, now: Instant) {
        if excused || value != self.value {
            *self = Self::new(value, sample, now);
        }
    }

    fn has_lasted(&self, bound: Duration, sample: &Sample, now: Instant) -> bool {
        now.duration_since(self.since) >= bound && sample.thread_ticks - self.ticks >= TICKS_PER_TURN
    }
}

/// The watchdog.
#[derive(Debug)]
pub struct Watchdog {
    hang: Duration,
    stall: Duration,
    looked: Instant,
    turn: Still,
    fold: Still,
    read: Still,
}

impl Watchdog {
    /// A watchdog that takes an actor for hung after `hang`, and a reader for stalled after `stall`.
    pub fn new(hang: Duration, stall: Duration, sample: &Sample, now: Instant) -> Self {
        let still = |value| Still::new(value, sample, now);
        Self {
            hang,
            stall,
            looked: now,
            turn: still(sample.actor_turns),
            fold: still(sample.folded),
            read: still(sample.read),
        }
    }

    /// Looks; to be called every [`LOOK_INTERVAL`].
    pub fn look(&mut self, sample: &Sample, now: Instant) -> Option<Symptom> {
        let late = now.duration_since(self.looked) > 5 * LOOK_INTERVAL;
        self.looked = now;
        if late {
            // A watchdog that did not get its turn itself accuses nobody: the machine stood still.
            *self = Self::new(self.hang, self.stall, sample, now);
            return None;
        }
        if sample.thread_still_for >= self.hang {
            return Some(Symptom::ThreadBlocked);
        }
        let idle = sample.pending_batches == 0;
        let nothing_to_read = sample.log_last <= sample.read || !sample.reader_open;
        self.turn.look(sample.actor_turns, false, sample, now);
        self.fold.look(sample.folded, idle || sample.waiting_for_store, sample, now);
        let excused = nothing_to_read || !idle || sample.waiting_for_store;
        self.read.look(sample.read, excused, sample, now);
        if self.turn.has_lasted(self.hang, sample, now) {
            return Some(Symptom::ActorHung);
        }
        if self.fold.has_lasted(self.hang, sample, now) {
            return Some(Symptom::NoProgress);
        }
        if self.read.has_lasted(self.stall, sample, now) {
            // The new reader has its own time.
            self.read = Still::new(sample.read, sample, now);
            return Some(Symptom::ReaderStalled);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANG: Duration = Duration::from_millis(800);
    const STALL: Duration = Duration::from_millis(2_000);

    /// Looks every 100 ms for `looks` times; `at` gives what is seen. The first symptom, and when.
    fn first_symptom(looks: u64, at: impl Fn(u64) -> Sample) -> Option<(u64, Symptom)> {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(HANG, STALL, &at(0), start);
        (1..=looks).find_map(|look| {
            let now = start + LOOK_INTERVAL * look as u32;
            watchdog.look(&at(look), now).map(|symptom| (look * 100, symptom))
        })
    }

    /// A partition where everything moves.
    fn healthy(look: u64) -> Sample {
        Sample { thread_ticks: 2 * look, actor_turns: look, reader_open: true, ..Sample::default() }
    }

    #[test]
    fn what_is_seen_and_what_is_wrong() {
        use Symptom::*;
        /// What it is, what is seen at each look, and the first symptom with its time in milliseconds.
        type Row = (&'static str, fn(u64) -> Sample, Option<(u64, Symptom)>);
        let table: [Row; 11] = [
            ("idle and caught up", healthy, None),
            (
                "busy: something waits, and is folded",
                |look| Sample {
                    pending_batches: 2,
                    folded: look,
                    read: look,
                    log_last: 900,
                    ..healthy(look)
                },
                None,
            ),
            (
                "a thread in a loop",
                |look| Sample { thread_still_for: LOOK_INTERVAL * look as u32, ..Sample::default() },
                Some((800, ThreadBlocked)),
            ),
            (
                "an actor that is never polled though its thread turns",
                |look| Sample { actor_turns: 7, ..healthy(look) },
                Some((800, ActorHung)),
            ),
            (
                "on a busy thread, an actor is given as many of its rounds as on an idle one",
                |look| Sample { actor_turns: 7, thread_ticks: look / 4, ..healthy(look) },
                Some((3_200, ActorHung)),
            ),
            (
                "batches wait and nothing is folded",
                |look| Sample { pending_batches: 1, folded: 5, ..healthy(look) },
                Some((800, NoProgress)),
            ),
            (
                "batches wait for members from the store, which is away",
                |look| Sample { pending_batches: 1, waiting_for_store: true, ..healthy(look) },
                None,
            ),
            (
                "the log has more and the reader brings nothing",
                |look| Sample { read: 5, folded: 5, log_last: 9, ..healthy(look) },
                Some((2_000, ReaderStalled)),
            ),
            (
                "the log has more, and the reader is still being opened",
                |look| Sample { read: 5, folded: 5, log_last: 9, reader_open: false, ..healthy(look) },
                None,
            ),
            (
                "the log grows and the reader keeps up behind it",
                |look| Sample { read: look, folded: look, log_last: look + 50, ..healthy(look) },
                None,
            ),
            (
                "the log has more, but the actor has not folded what it has",
                |look| Sample { read: 5, folded: look, log_last: 9, pending_batches: 1, ..healthy(look) },
                None,
            ),
        ];
        for (what, seen, expected) in table {
            assert_eq!(first_symptom(60, seen), expected, "{what}");
        }
    }

    #[test]
    fn a_watchdog_that_was_late_itself_accuses_nobody() {
        let start = Instant::now();
        let stuck = Sample { thread_still_for: Duration::from_secs(60), ..Sample::default() };
        let mut watchdog = Watchdog::new(HANG, STALL, &Sample::default(), start);
        let later = start + Duration::from_secs(60);
        assert_eq!(watchdog.look(&stuck, later), None, "the whole machine stood still");
        assert_eq!(watchdog.look(&stuck, later + LOOK_INTERVAL), Some(Symptom::ThreadBlocked));
    }

    #[test]
    fn a_recreated_reader_has_its_own_time() {
        let start = Instant::now();
        let seen = |look| Sample { read: 5, folded: 5, log_last: 9, ..healthy(look) };
        let mut watchdog = Watchdog::new(HANG, STALL, &seen(0), start);
        let symptoms: Vec<u64> = (1..=60)
            .filter(|look| watchdog.look(&seen(*look), start + LOOK_INTERVAL * *look as u32).is_some())
            .collect();
        assert_eq!(symptoms, [20, 40, 60]);
    }
}
