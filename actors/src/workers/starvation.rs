//! Tells a thread that is stuck from one that is given no processor: a busy neighbour, or a limit on the
//! process's processor time, must not look like a hang.
//!
//! A thread that is stuck in a call sleeps; one that is stuck in a loop runs. One that could run and does not is
//! starved, and the time for which it is does not count against it. Where that cannot be told, nothing is taken for
//! starvation.

use nearline_ports::ThreadState;

/// For how long a thread that does not move has been starved.
#[derive(Debug, Default)]
pub(super) struct Starvation {
    /// When it moved last, as of the last look.
    moved_ms: u64,
    looked_ms: u64,
    cpu_ms: u64,
    starved_ms: u64,
}

impl Starvation {
    /// A thread that moved last at `moved_ms` is seen at `now_ms`; milliseconds since then, without those for which it
    /// was starved.
    pub fn look(&mut self, doing: Option<ThreadState>, moved_ms: u64, now_ms: u64) -> u64 {
        let still_ms = now_ms.saturating_sub(moved_ms);
        let Some(ThreadState { is_runnable, cpu_ms }) = doing else { return still_ms };
        if moved_ms != self.moved_ms {
            *self = Self { moved_ms, looked_ms: now_ms, cpu_ms, starved_ms: 0 };
            return still_ms;
        }
        if is_runnable {
            let passed_ms = now_ms.saturating_sub(self.looked_ms);
            self.starved_ms += passed_ms.saturating_sub(cpu_ms.saturating_sub(self.cpu_ms));
        }
        (self.looked_ms, self.cpu_ms) = (now_ms, cpu_ms);
        still_ms.saturating_sub(self.starved_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at a thread that moved at 1,000 every 100 ms: whether it is runnable then, and what it has used.
    fn still_after(looks: &[(bool, u64)]) -> u64 {
        let mut starvation = Starvation::default();
        let mut still = 0;
        for (look, (is_runnable, cpu_ms)) in (1..).zip(looks) {
            let doing = Some(ThreadState { is_runnable: *is_runnable, cpu_ms: *cpu_ms });
            still = starvation.look(doing, 1_000, 1_000 + look * 100);
        }
        still
    }

    #[test]
    fn a_thread_that_sleeps_and_one_that_loops_stand_still_and_one_without_a_processor_does_not() {
        assert_eq!(still_after(&[(false, 7); 10]), 1_000, "stuck in a call");
        let looping: Vec<_> = (1..=10).map(|look| (true, look * 100)).collect();
        assert_eq!(still_after(&looping), 1_000, "stuck in a loop");
        assert_eq!(still_after(&[(true, 7); 10]), 100, "starved: all but the time before the first look");
        let half: Vec<_> = (1..=10).map(|look| (true, look * 50)).collect();
        assert_eq!(still_after(&half), 550, "stuck in a loop, with half a processor");
    }

    #[test]
    fn what_it_was_starved_of_before_it_moved_does_not_count_afterwards() {
        let mut starvation = Starvation::default();
        let doing = |is_runnable| Some(ThreadState { is_runnable, cpu_ms: 7 });
        for now_ms in (1_100..=2_000).step_by(100) {
            starvation.look(doing(true), 1_000, now_ms);
        }
        assert_eq!(starvation.look(doing(false), 2_000, 2_100), 100);
        assert_eq!(starvation.look(doing(false), 2_000, 2_900), 900);
    }

    #[test]
    fn where_nothing_can_be_told_time_is_time() {
        assert_eq!(Starvation::default().look(None, 1_000, 1_900), 900);
    }
}
