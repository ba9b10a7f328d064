//! The watchdog of one partition: looks at what its actor, reader and thread do, and says what is
//! wrong. The supervisor looks, on a thread of its own; the time, in milliseconds since any moment, is an argument.

use crate::identifier::Position;

/// Milliseconds between two looks.
pub const LOOK_INTERVAL_MS: u64 = 100;
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
    /// Milliseconds for which the thread has done nothing.
    pub thread_still_for_ms: u64,
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
    /// A count or a position: it is only seen to change.
    value: u64,
    since_ms: u64,
    ticks: u64,
}

impl Still {
    fn new(value: u64, sample: &Sample, now_ms: u64) -> Self {
        Self { value, since_ms: now_ms, ticks: sample.thread_ticks }
    }

    /// Starts over if `value` has changed or `excused`.
    fn look(&mut self, value: u64, excused: bool, sample: &Sample, now_ms: u64) {
        if excused || value != self.value {
            *self = Self::new(value, sample, now_ms);
        }
    }

    fn has_lasted(&self, bound_ms: u64, sample: &Sample, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= bound_ms && sample.thread_ticks - self.ticks >= TICKS_PER_TURN
    }
}

/// The watchdog.
#[derive(Debug)]
pub struct Watchdog {
    hang_ms: u64,
    stall_ms: u64,
    looked_ms: u64,
    turn: Still,
    fold: Still,
    read: Still,
}

impl Watchdog {
    /// A watchdog that takes an actor for hung after `hang_ms`, and a reader for stalled after `stall_ms`.
    pub fn new(hang_ms: u64, stall_ms: u64, sample: &Sample, now_ms: u64) -> Self {
        let still = |value| Still::new(value, sample, now_ms);
        Self {
            hang_ms,
            stall_ms,
            looked_ms: now_ms,
            turn: still(sample.actor_turns),
            fold: still(sample.folded.0),
            read: still(sample.read.0),
        }
    }

    /// Looks; to be called every [`LOOK_INTERVAL_MS`].
    pub fn look(&mut self, sample: &Sample, now_ms: u64) -> Option<Symptom> {
        let late = now_ms.saturating_sub(self.looked_ms) > 5 * LOOK_INTERVAL_MS;
        self.looked_ms = now_ms;
        if late {
            // A watchdog that did not get its turn itself accuses nobody: the machine stood still.
            *self = Self::new(self.hang_ms, self.stall_ms, sample, now_ms);
            return None;
        }
        if sample.thread_still_for_ms >= self.hang_ms {
            return Some(Symptom::ThreadBlocked);
        }
        let idle = sample.pending_batches == 0;
        let nothing_to_read = sample.log_last <= sample.read || !sample.reader_open;
        self.turn.look(sample.actor_turns, false, sample, now_ms);
        self.fold.look(sample.folded.0, idle || sample.waiting_for_store, sample, now_ms);
        let excused = nothing_to_read || !idle || sample.waiting_for_store;
        self.read.look(sample.read.0, excused, sample, now_ms);
        if self.turn.has_lasted(self.hang_ms, sample, now_ms) {
            return Some(Symptom::ActorHung);
        }
        if self.fold.has_lasted(self.hang_ms, sample, now_ms) {
            return Some(Symptom::NoProgress);
        }
        if self.read.has_lasted(self.stall_ms, sample, now_ms) {
            // The new reader has its own time.
            self.read = Still::new(sample.read.0, sample, now_ms);
            return Some(Symptom::ReaderStalled);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANG: u64 = 800;
    const STALL: u64 = 2_000;

    /// Looks every 100 ms for `looks` times; `at` gives what is seen. The first symptom, and when.
    fn first_symptom(looks: u64, at: impl Fn(u64) -> Sample) -> Option<(u64, Symptom)> {
        let start = 1_000_000;
        let mut watchdog = Watchdog::new(HANG, STALL, &at(0), start);
        (1..=looks).find_map(|look| {
            let now = start + LOOK_INTERVAL_MS * look;
            watchdog.look(&at(look), now).map(|symptom| (look * 100, symptom))
        })
    }

    /// A partition where everything moves.
    fn healthy(look: u64) -> Sample {
        Sample { thread_ticks: 2 * look, actor_turns: look, reader_open: true, ..Sample::default() }
    }

    /// The same, whose fold, reader and log stand at these positions.
    fn standing(look: u64, [folded, read, log_last]: [u64; 3]) -> Sample {
        let [folded, read, log_last] = [folded, read, log_last].map(Position);
        Sample { folded, read, log_last, ..healthy(look) }
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
                |look| Sample { pending_batches: 2, ..standing(look, [look, look, 900]) },
                None,
            ),
            (
                "a thread in a loop",
                |look| Sample { thread_still_for_ms: LOOK_INTERVAL_MS * look, ..Sample::default() },
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
                |look| Sample { pending_batches: 1, folded: Position(5), ..healthy(look) },
                Some((800, NoProgress)),
            ),
            (
                "batches wait for members from the store, which is away",
                |look| Sample { pending_batches: 1, waiting_for_store: true, ..healthy(look) },
                None,
            ),
            (
                "the log has more and the reader brings nothing",
                |look| standing(look, [5, 5, 9]),
                Some((2_000, ReaderStalled)),
            ),
            (
                "the log has more, and the reader is still being opened",
                |look| Sample { reader_open: false, ..standing(look, [5, 5, 9]) },
                None,
            ),
            (
                "the log grows and the reader keeps up behind it",
                |look| standing(look, [look, look, look + 50]),
                None,
            ),
            (
                "the log has more, but the actor has not folded what it has",
                |look| Sample { pending_batches: 1, ..standing(look, [look, 5, 9]) },
                None,
            ),
        ];
        for (what, seen, expected) in table {
            assert_eq!(first_symptom(60, seen), expected, "{what}");
        }
    }

    #[test]
    fn a_watchdog_that_was_late_itself_accuses_nobody() {
        let start = 1_000_000;
        let stuck = Sample { thread_still_for_ms: 60_000, ..Sample::default() };
        let mut watchdog = Watchdog::new(HANG, STALL, &Sample::default(), start);
        let later = start + 60_000;
        assert_eq!(watchdog.look(&stuck, later), None, "the whole machine stood still");
        assert_eq!(watchdog.look(&stuck, later + LOOK_INTERVAL_MS), Some(Symptom::ThreadBlocked));
    }

    #[test]
    fn a_recreated_reader_has_its_own_time() {
        let start = 1_000_000;
        let seen = |look| standing(look, [5, 5, 9]);
        let mut watchdog = Watchdog::new(HANG, STALL, &seen(0), start);
        let symptoms: Vec<u64> = (1..=60)
            .filter(|look| watchdog.look(&seen(*look), start + LOOK_INTERVAL_MS * *look).is_some())
            .collect();
        assert_eq!(symptoms, [20, 40, 60]);
    }
}
