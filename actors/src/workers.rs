//! The threads that partition actors live on: arbiters that tell whether they still turn, and that are
//! left behind when they do not.

mod starvation;

use crate::event_loop::{EventLoop, Threads};
use nearline_ports::{ThreadNumber, ThreadStates};
use parking_lot::Mutex;
use starvation::Starvation;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// Time between two ticks of a worker.
const TICK: Duration = Duration::from_millis(50);
/// A thread that moved more recently than this is not looked at any closer.
const NOT_STILL: Duration = Duration::from_millis(150);

/// One thread.
#[derive(Debug)]
pub struct Worker {
    number: u64,
    place: EventLoop,
    origin: Instant,
    ticks: AtomicU64,
    moved_ms: AtomicU64,
    threads: Arc<dyn ThreadStates>,
    /// Its number in the operating system.
    thread: OnceLock<ThreadNumber>,
    starvation: Mutex<Starvation>,
}

impl Worker {
    fn new(number: u64, place: EventLoop, origin: Instant, threads: Arc<dyn ThreadStates>) -> Self {
        Self {
            number,
            place,
            origin,
            ticks: AtomicU64::new(0),
            moved_ms: AtomicU64::new(0),
            threads,
            thread: OnceLock::new(),
            starvation: Mutex::default(),
        }
    }

    fn start(number: u64, origin: Instant, threads: Arc<dyn ThreadStates>) -> Arc<Self> {
        let place = EventLoop::new(Threads::Own);
        let worker = Arc::new(Self::new(number, place.clone(), origin, threads));
        worker.moved();
        let ticking = worker.clone();
        place.spawn(async move {
            if let Some(thread) = ticking.threads.this() {
                let _once = ticking.thread.set(thread);
            }
            loop {
                ticking.ticks.fetch_add(1, Relaxed);
                ticking.moved();
                tokio::time::sleep(TICK).await;
            }
        });
        worker
    }

    /// Runs `start` on the thread; what it spawns stays there.
    pub fn spawn_fn(&self, start: impl FnOnce() + Send + 'static) {
        self.place.spawn_fn(start);
    }

    /// Whether this is the thread of whoever spawns.
    pub fn is_here(&self) -> bool {
        self.place.is_here()
    }

    /// Called from the thread: it has done something.
    pub fn moved(&self) {
        self.moved_ms.store(self.origin.elapsed().as_millis() as u64, Relaxed);
    }

    /// How long the thread has done nothing, not even tick, though it was given a processor.
    pub fn still_for(&self) -> Duration {
        if self.is_here() {
            // Whoever asks runs on it.
            return Duration::ZERO;
        }
        let (moved_ms, now_ms) = (self.moved_ms.load(Relaxed), self.origin.elapsed().as_millis() as u64);
        let still = Duration::from_millis(now_ms.saturating_sub(moved_ms));
        if still < NOT_STILL {
            return still;
        }
        let doing = self.thread.get().and_then(|thread| self.threads.state(*thread));
        Duration::from_millis(self.starvation.lock().look(doing, moved_ms, now_ms))
    }

    /// Ticks since it started.
    pub fn ticks(&self) -> u64 {
        if self.is_here() {
            return (self.origin.elapsed().as_millis() / TICK.as_millis()) as u64;
        }
        self.ticks.load(Relaxed)
    }
}

/// All threads of partition actors. Needs an actix system.
#[derive(Debug)]
pub struct Workers {
    origin: Instant,
    threads: Arc<dyn ThreadStates>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    slots: Vec<Arc<Worker>>,
    /// Stuck threads, which are waited for no more.
    left_behind: Vec<Arc<Worker>>,
    started: u64,
}

impl Workers {
    /// Starts `count` threads, or none: then nothing that blocks is ever replaced.
    pub(crate) fn start(on: Threads, count: usize, threads: Arc<dyn ThreadStates>) -> Self {
        let origin = Instant::now();
        if on == Threads::Here {
            let here = Arc::new(Worker::new(0, EventLoop::Here, origin, threads.clone()));
            let state = State { slots: vec![here], left_behind: Vec::new(), started: 1 };
            return Self { origin, threads, state: Mutex::new(state) };
        }
        let count = count.max(1) as u64;
        let slots = (0..count).map(|number| Worker::start(number, origin, threads.clone())).collect();
        Self { origin, threads, state: Mutex::new(State { slots, left_behind: Vec::new(), started: count }) }
    }

    /// The thread for the actor numbered `number`.
    pub fn of(&self, number: usize) -> Arc<Worker> {
        let slots = &self.state.lock().slots;
        slots[number % slots.len()].clone()
    }

    /// Leaves a stuck thread behind and puts a new one into its place; all that lived there find it
    /// with [`Workers::of`]. How many are left behind now.
    pub fn leave_behind(&self, stuck: &Arc<Worker>) -> usize {
        let mut state = self.state.lock();
        // Another actor of the same thread may have been faster.
        if let Some(slot) = state.slots.iter().position(|worker| worker.number == stuck.number) {
            let number = state.started;
            state.started += 1;
            let worker = Worker::start(number, self.origin, self.threads.clone());
            let left = std::mem::replace(&mut state.slots[slot], worker);
            state.left_behind.push(left);
            metrics::counter!("nearline_threads_left_behind_total").increment(1);
        }
        gauge(&state)
    }

    /// Lets threads go that were left behind and turn again; how many are still stuck.
    pub fn sweep(&self) -> usize {
        let mut state = self.state.lock();
        state.left_behind.retain(|worker| {
            let turns = worker.still_for() < 3 * TICK;
            if turns {
                worker.place.stop();
            }
            !turns
        });
        gauge(&state)
    }

    /// Stops all threads; those that are stuck stop once they turn again.
    pub fn stop(&self) {
        let state = self.state.lock();
        for worker in state.slots.iter().chain(&state.left_behind) {
            worker.place.stop();
        }
    }
}

fn gauge(state: &State) -> usize {
    metrics::gauge!("nearline_leaked_threads").set(state.left_behind.len() as f64);
    state.left_behind.len()
}
