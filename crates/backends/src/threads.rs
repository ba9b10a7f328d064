//! What threads are doing, from `/proc`: known on Linux alone.

use nearline_ports::{ThreadNumber, ThreadState, ThreadStates};

/// The operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemThreads;

impl ThreadStates for SystemThreads {
    #[cfg(target_os = "linux")]
    fn this(&self) -> Option<ThreadNumber> {
        Some(rustix::thread::gettid().as_raw_nonzero().get())
    }

    #[cfg(not(target_os = "linux"))]
    fn this(&self) -> Option<ThreadNumber> {
        None
    }

    fn state(&self, thread: ThreadNumber) -> Option<ThreadState> {
        let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")).ok()?;
        parse(&stat, rustix::param::clock_ticks_per_second())
    }
}

/// Reads `/proc/<pid>/task/<tid>/stat` (proc_pid_stat(5)); the name of the thread may hold anything.
fn parse(stat: &str, ticks_per_second: u64) -> Option<ThreadState> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    // After the state, the third field, come ten others before user time and system time.
    let mut times = fields.skip(10).map_while(|field| field.parse::<u64>().ok());
    let ticks = times.next()? + times.next()?;
    Some(ThreadState { is_runnable: state == "R", cpu_ms: ticks * 1_000 / ticks_per_second.max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_thread_is_read_whatever_its_name_is() {
        let stat = "12 (a) R (b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0";
        assert_eq!(parse(stat, 100), Some(ThreadState { is_runnable: true, cpu_ms: 3_000 }));
        assert_eq!(parse("12 (x) S 1 2", 100), None);
        assert_eq!(parse("", 100), None);
    }

    #[cfg(target_os = "linux")]
    mod of_threads {
        use super::super::{SystemThreads, ThreadNumber, ThreadState, ThreadStates};
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
        use std::time::{Duration, Instant};

        /// Looks at a thread that does `what` every 20 ms for `most`, or until `enough`.
        fn look(
            most: Duration,
            what: impl FnOnce(&AtomicBool) + Send + 'static,
            enough: impl Fn(&[ThreadState]) -> bool,
        ) -> Vec<ThreadState> {
            let over = Arc::new(AtomicBool::new(false));
            let (sender, started) = std::sync::mpsc::channel::<ThreadNumber>();
            let running = std::thread::spawn({
                let over = over.clone();
                move || {
                    sender.send(SystemThreads.this().expect("told on Linux")).expect("awaited");
                    what(&over);
                }
            });
            let thread = started.recv().expect("it started");
            let (start, mut seen) = (Instant::now(), Vec::new());
            while start.elapsed() < most && !enough(&seen) {
                std::thread::sleep(Duration::from_millis(20));
                seen.push(SystemThreads.state(thread).expect("it lives"));
            }
            over.store(true, Relaxed);
            running.join().expect("it ends");
            seen
        }

        fn spin(over: &AtomicBool) {
            while !over.load(Relaxed) {
                std::hint::spin_loop();
            }
        }

        fn used(seen: &[ThreadState]) -> u64 {
            seen.last().map_or(0, |last| last.cpu_ms - seen[0].cpu_ms)
        }

        #[test]
        fn a_thread_in_a_call_cannot_run_and_one_in_a_loop_uses_time() {
            let call = |over: &AtomicBool| {
                while !over.load(Relaxed) {
                    std::thread::park_timeout(Duration::from_secs(1));
                }
            };
            let seen = look(Duration::from_millis(500), call, |_| false);
            assert!(
                seen.iter().filter(|state| !state.is_runnable).count() * 10 >= seen.len() * 9,
                "{seen:?}"
            );
            let seen = look(Duration::from_secs(30), spin, |seen| used(seen) >= 500);
            assert!(seen.iter().all(|state| state.is_runnable) && used(&seen) >= 500, "{seen:?}");
        }

        #[test]
        fn a_thread_that_neighbours_leave_no_processor_could_run_and_uses_next_to_none() {
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
            let last_of_all = move |over: &AtomicBool| {
                sched_setaffinity(None, &one).expect("one's own");
                rustix::process::setpriority_process(Some(rustix::thread::gettid()), 19).expect("lower");
                spin(over);
            };
            let seen = look(Duration::from_millis(1_500), last_of_all, |_| false);
            done.store(true, Relaxed);
            neighbours.into_iter().for_each(|neighbour| neighbour.join().expect("it ends"));
            let seen = &seen[1..];
            assert!(seen.iter().all(|state| state.is_runnable), "{seen:?}");
            assert!(used(seen) < 500, "{seen:?}");
        }
    }
}
