//! How far a partition is behind its log, in time.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Bounds the age of the oldest record that is not folded yet.
///
/// It came after the last record that is folded, and after the last look at which all that was in the log was folded
/// since: whichever is later bounds its age from above. Both are told by the log or by looks at it, so nothing is asked of
/// the log for it.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// Time of the last look at the log's end; 0: none yet.
    looked_ms: AtomicI64,
    /// Time of the last look at whose end of the log everything has been folded; at first, of the first look.
    caught_up_ms: AtomicI64,
    /// The log's time of the last record folded.
    folded_ms: AtomicI64,
}

impl Lag {
    /// The log's end is seen at `now_ms`. `was_folded`: everything up to the end of the look before; `is_folded`:
    /// everything up to this one.
    pub fn looked(&self, now_ms: i64, was_folded: bool, is_folded: bool) {
        let before = self.looked_ms.swap(now_ms, Relaxed);
        if is_folded || before == 0 {
            self.caught_up_ms.store(now_ms, Relaxed);
        } else if was_folded {
            self.caught_up_ms.store(before, Relaxed);
        }
    }

    /// A record of this time of the log is folded, and all before it.
    pub fn folded(&self, log_ms: i64) {
        self.folded_ms.store(log_ms, Relaxed);
    }

    /// Milliseconds that the oldest record may have waited, where there is one; counted from the first look on
    /// until something is folded.
    pub fn age_ms(&self, now_ms: i64) -> u64 {
        let since = self.caught_up_ms.load(Relaxed).max(self.folded_ms.load(Relaxed));
        now_ms.saturating_sub(since).max(0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_came_since_the_last_look_is_no_older_than_that_look() {
        let lag = Lag::default();
        lag.folded(1_000);
        lag.looked(500_000, true, true);
        assert_eq!(lag.age_ms(500_020), 20, "the quiet time before does not count");
        lag.looked(500_100, true, false);
        assert_eq!(lag.age_ms(500_130), 130, "counted from the look at which all was folded");
    }

    #[test]
    fn what_stands_still_grows_older_and_what_is_folded_makes_it_younger() {
        let lag = Lag::default();
        lag.looked(10_000, true, true);
        for look in 1..=50 {
            lag.looked(10_000 + look * 100, false, false);
        }
        assert_eq!(lag.age_ms(15_000), 5_000);
        lag.folded(14_500);
        assert_eq!(lag.age_ms(15_000), 500);
    }

    #[test]
    fn a_backlog_found_at_the_start_counts_from_the_first_look_until_the_log_tells_its_time() {
        let lag = Lag::default();
        lag.looked(1_000_000, false, false);
        assert_eq!(lag.age_ms(1_000_400), 400);
        lag.folded(700_000);
        assert_eq!(lag.age_ms(1_000_400), 400);
        lag.looked(1_000_500, false, true);
        assert_eq!(lag.age_ms(1_000_500), 0);
    }

    #[test]
    fn a_clock_behind_the_logs_gives_no_age_below_nothing() {
        let lag = Lag::default();
        lag.folded(2_000);
        assert_eq!(lag.age_ms(1_000), 0);
    }
}
