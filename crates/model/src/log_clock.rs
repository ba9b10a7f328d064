//! The clock of a partition's log: which of the log's time stamps are believed.
//!
//! The log's stamps bound what clients say ([`crate::partition`]), and several maxima over time rest on them:
//! windows of the sums, a member's newest event, when a member was erased. A host whose clock is ahead for a
//! second must not move them for good. So a stamp that jumps is *doubted*, as NTP's clock discipline doubts a
//! spike (Mills: "Computer Network Time Synchronization", 2006: a step is taken only when offsets beyond the
//! threshold go on for the stepout time): its record counts at the time believed last, until stamps have gone on
//! from the jump for long enough by their own advance, or have come back.
//!
//! The clock is part of what a partition is stored with: the same log gives the same times (I3).

use crate::settings::FoldSettings;
use serde::{Deserialize, Serialize};

/// Share of the time to settle that one record may account for: a single gap between two wild stamps does not
/// confirm them.
const STEPS_TO_SETTLE: i64 = 4;

/// What became of a stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamp {
    /// It is believed.
    Believed,
    /// It is so far ahead that it is not believed yet.
    Ahead,
    /// It lies before what is believed.
    Behind,
}

/// Which stamps of a log are believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogClock {
    /// The time believed, Unix milliseconds; 0: there was no stamp yet.
    believed_ms: i64,
    doubted: Option<Doubted>,
}

/// Stamps that are away from the time believed, one after the other on the same side of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Doubted {
    is_ahead: bool,
    last_ms: i64,
    /// By how much they went on.
    advanced_ms: i64,
}

impl LogClock {
    /// The time believed, Unix milliseconds; 0: there was no stamp yet.
    pub fn believed_ms(&self) -> i64 {
        self.believed_ms
    }

    /// Takes in the stamp of the next record, and says what time the record counts at.
    pub fn read(&mut self, stamp_ms: i64, settings: &FoldSettings) -> (i64, Stamp) {
        let jump_ms = i64::from(settings.clock_jump_seconds) * 1_000;
        let is_ahead = stamp_ms > self.believed_ms.saturating_add(jump_ms) && self.believed_ms > 0;
        if !is_ahead && stamp_ms >= self.believed_ms {
            *self = Self { believed_ms: stamp_ms, doubted: None };
            return (stamp_ms, Stamp::Believed);
        }
        let settle_ms = i64::from(settings.clock_settle_seconds).max(1) * 1_000;
        let mut doubted = match self.doubted {
            Some(doubted) if doubted.is_ahead == is_ahead => doubted,
            _ => Doubted { is_ahead, last_ms: stamp_ms, advanced_ms: 0 },
        };
        let step_ms = stamp_ms.saturating_sub(doubted.last_ms);
        doubted.advanced_ms += step_ms.clamp(0, settle_ms / STEPS_TO_SETTLE);
        doubted.last_ms = stamp_ms;
        if doubted.advanced_ms >= settle_ms {
            *self = Self { believed_ms: stamp_ms, doubted: None };
            return (stamp_ms, Stamp::Believed);
        }
        self.doubted = Some(doubted);
        (self.believed_ms, if is_ahead { Stamp::Ahead } else { Stamp::Behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW_MS: i64 = 1_772_323_200_000;
    const DAY_MS: i64 = 86_400_000;

    fn settings() -> FoldSettings {
        FoldSettings::default()
    }

    fn times(stamps: &[i64]) -> Vec<i64> {
        let mut clock = LogClock::default();
        stamps.iter().map(|stamp| clock.read(*stamp, &settings()).0).collect()
    }

    #[test]
    fn a_clock_that_is_ahead_for_a_second_moves_nothing() {
        for ahead in [DAY_MS, 3 * DAY_MS, 400 * DAY_MS] {
            let mut stamps = vec![NOW_MS];
            stamps.extend((1..=1_000).map(|ms| NOW_MS + ahead + ms));
            stamps.extend([NOW_MS + 1_001, NOW_MS + 1_002]);
            let times = times(&stamps);
            assert!(times[..=1_000].iter().all(|time| *time == NOW_MS), "{ahead}");
            assert_eq!(times[1_001..], [NOW_MS + 1_001, NOW_MS + 1_002]);
        }
    }

    #[test]
    fn a_jump_that_goes_on_is_believed_once_it_has_settled() {
        let mut clock = LogClock::default();
        let settle_ms = i64::from(settings().clock_settle_seconds) * 1_000;
        clock.read(NOW_MS, &settings());
        let start = NOW_MS + 3 * DAY_MS;
        for ms in (0..settle_ms).step_by(10_000) {
            assert_eq!(clock.read(start + ms, &settings()), (NOW_MS, Stamp::Ahead));
        }
        let settled = start + settle_ms;
        assert_eq!(clock.read(settled, &settings()), (settled, Stamp::Believed));
        assert_eq!(clock.read(settled + 1, &settings()), (settled + 1, Stamp::Believed));
    }

    #[test]
    fn a_quiet_partition_settles_within_a_few_records() {
        let stamps = [0, 2, 4, 6, 8, 10, 12].map(|days| NOW_MS + days * DAY_MS);
        let believed = times(&stamps);
        assert_eq!(believed[4], NOW_MS);
        assert_eq!(believed[5], stamps[5], "five records after the jump");
    }

    #[test]
    fn stamps_wild_and_wilder_confirm_nothing() {
        let stamps = [0, 3, 400, 1_000].map(|days| NOW_MS + days * DAY_MS);
        assert_eq!(times(&stamps), [NOW_MS; 4]);
    }

    #[test]
    fn a_clock_set_back_for_good_is_followed_and_one_set_back_for_a_second_is_not() {
        let mut clock = LogClock::default();
        clock.read(NOW_MS, &settings());
        let back = NOW_MS - 400 * DAY_MS;
        assert_eq!(clock.read(back, &settings()), (NOW_MS, Stamp::Behind));
        assert_eq!(clock.read(NOW_MS + 1, &settings()), (NOW_MS + 1, Stamp::Believed));
        let settle_ms = i64::from(settings().clock_settle_seconds) * 1_000;
        for ms in (0..settle_ms).step_by(1_000) {
            assert_eq!(clock.read(back + ms, &settings()).0, NOW_MS + 1);
        }
        assert_eq!(clock.read(back + settle_ms, &settings()), (back + settle_ms, Stamp::Believed));
    }

    #[test]
    fn a_day_of_silence_is_believed_at_once() {
        assert_eq!(times(&[NOW_MS, NOW_MS + DAY_MS]), [NOW_MS, NOW_MS + DAY_MS]);
    }

    proptest! {
        #[test]
        fn stamps_in_order_without_a_jump_are_all_believed(steps in prop::collection::vec(0..DAY_MS, 1..50)) {
            let stamps: Vec<i64> = steps.iter().scan(NOW_MS, |now, step| { *now += step; Some(*now) }).collect();
            prop_assert_eq!(times(&stamps), stamps);
        }

        #[test]
        fn no_time_is_later_than_the_latest_stamp(stamps in prop::collection::vec(0..NOW_MS * 2, 1..50)) {
            for (at, time) in times(&stamps).into_iter().enumerate() {
                prop_assert!(stamps[..=at].iter().any(|stamp| *stamp >= time));
            }
        }
    }
}
