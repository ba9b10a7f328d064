//! Tells a thread that is stuck from one that is given no processor: a busy neighbour, or a limit on the
//! process's processor time, must not look like a hang.
//!
//! A thread that is stuck in a call sleeps; one that is stuck in a loop runs. One that could run and does not is
//! starved, and the time for which it is does not count against it. Known on Linux alone; elsewhere nothing is
//! taken for starvation.

use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// A thread, as the operating system sees it.
#[derive(Debug, Default)]
pub(super) struct ThreadProbe {
    /// Its number in the operating system; 0: it has not said.
    number: AtomicI32,
}

/// What a thread is doing at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doing {
    /// It runs, or would if it was given a processor.
    is_runnable: bool,
    /// Processor time that it has used, in milliseconds.
    cpu_ms: u64,
}

impl ThreadProbe {
    /// Called from the thread itself, once.
    pub fn is_here(&self) {
        #[cfg(target_os = "linux")]
        self.number.store(rustix::thread::gettid().as_raw_nonzero().get(), Relaxed);
    }

    fn doing(&self) -> Option<Doing> {
        let number = self.number.load(Relaxed);
        if number == 0 {
            return None;
        }
        let stat = std::fs::read_to_string(format!("/proc/self/task/{number}/stat")).ok()?;
        parse(&stat, rustix::param::clock_ticks_per_second())
    }
}

/// Reads `/proc/<pid>/task/<tid>/stat` (proc_pid_stat(5)); the name of the thread may hold anything.
fn parse(stat: &str, ticks_per_second: u64) -> Option<Doing> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    // After the state, the third field, come ten others before user time and system time.
    let mut times = fields.skip(10).map_while(|field| field.parse::<u64>().ok());
    let ticks = times.next()? + times.next()?;
    Some(Doing { is_runnable: state == "R", cpu_ms: ticks * 1_000 / ticks_per_second.max(1) })
}

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
    /// Looks at a thread that moved last at `moved_ms`, now being `now_ms`; milliseconds since then, without those for
    /// which it was starved.
    pub fn look(&mut self, thread: &ThreadProbe, moved_ms: u64, now_ms: u64) -> u64 {
        self.learn(thread.doing(), moved_ms, now_ms)
    }

    fn learn(&mut self, doing: Option<Doing>, moved_ms: u64, now_ms: u64) -> u64 {
        let still_ms = now_ms.saturating_sub(moved_ms);
        let Some(Doing { is_runnable, cpu_ms }) = doing else { return still_ms };
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
            let doing = Some(Doing { is_runnable: *is_runnable, cpu_ms: *cpu_ms });
            still = starvation.learn(doing, 1_000, 1_000 + look * 100);
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
        let doing = |is_runnable| Some(Doing { is_runnable, cpu_ms: 7 });
        for now_ms in (1_100..=2_000).step_by(100) {
            starvation.learn(doing(true), 1_000, now_ms);
        }
        assert_eq!(starvation.learn(doing(false), 2_000, 2_100), 100);
        assert_eq!(starvation.learn(doing(false), 2_000, 2_900), 900);
    }

    #[test]
    fn where_nothing_can_be_told_time_is_time() {
        assert_eq!(Starvation::default().learn(None, 1_000, 1_900), 900);
    }

    #[test]
    fn the_state_of_a_thread_is_read_whatever_its_name_is() {
        let stat = "12 (a) R (b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0";
        assert_eq!(parse(stat, 100), Some(Doing { is_runnable: true, cpu_ms: 3_000 }));
        assert_eq!(parse("12 (x) S 1 2", 100), None);
        assert_eq!(parse("", 100), None);
    }

    #[cfg(target_os = "linux")]
    mod with_threads {
        use super::super::{Starvation, ThreadProbe};
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
        use std::time::{Duration, Instant};

        const HANG: Duration = Duration::from_millis(800);

        /// Looks at a thread that does `what` and never moves, until it counts as hung or `most` has passed.
        fn is_taken_for_hung(most: Duration, what: impl FnOnce(&AtomicBool) + Send + 'static) -> bool {
            let (probe, over) = (Arc::new(ThreadProbe::default()), Arc::new(AtomicBool::new(false)));
            let (sender, started) = std::sync::mpsc::channel();
            let running = std::thread::spawn({
                let (probe, over) = (probe.clone(), over.clone());
                move || {
                    probe.is_here();
                    sender.send(()).expect("awaited");
                    what(&over);
                }
            });
            started.recv().expect("it started");
            let (start, mut starvation) = (Instant::now(), Starvation::default());
            let mut is_hung = false;
            while !is_hung && start.elapsed() < most {
                std::thread::sleep(Duration::from_millis(50));
                let still = starvation.look(&probe, 1, 1 + start.elapsed().as_millis() as u64);
                is_hung = still >= HANG.as_millis() as u64;
            }
            over.store(true, Relaxed);
            running.join().expect("it ends");
            is_hung
        }

        fn spin(over: &AtomicBool) {
            while !over.load(Relaxed) {
                std::hint::spin_loop();
            }
        }

        #[test]
        fn a_thread_in_a_call_and_one_in_a_loop_are_taken_for_hung() {
            let enough = Duration::from_secs(30);
            assert!(is_taken_for_hung(enough, |over| {
                while !over.load(Relaxed) {
                    std::thread::park_timeout(Duration::from_millis(100));
                }
            }));
            assert!(is_taken_for_hung(enough, spin));
        }

        #[test]
        fn a_thread_that_neighbours_leave_no_processor_is_not() {
            let all = sched_getaffinity(None).expect("asked");
            let mut one = CpuSet::new();
            one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).expect("some processor"));
            let done = Arc::new(AtomicBool::new(false));
            let neighbours: Vec<_> = (0..4)
                .map(|_| {
                    let done = done.clone();
                    std::thread::spawn(move || {
                        sched_setaffinity(None, &one).expect("one's own");
                        spin(&done);
                    })
                })
                .collect();
            let starved = is_taken_for_hung(3 * HANG, move |over| {
                sched_setaffinity(None, &one).expect("one's own");
                rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19).expect("lower");
                spin(over);
            });
            done.store(true, Relaxed);
            neighbours.into_iter().for_each(|neighbour| neighbour.join().expect("it ends"));
            assert!(!starved, "it had next to no processor, and that is all");
        }
    }
}
