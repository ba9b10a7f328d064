//! Panics of a simulation are part of it: counted and caught, not printed.

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::{Arc, Once};

thread_local! {
    static SIMULATING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `world` with panics kept off the terminal on this thread.
pub fn quietly<T>(world: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !SIMULATING.get() {
                before(panic);
            }
        }));
    });
    let before = SIMULATING.replace(true);
    let outcome = world();
    SIMULATING.set(before);
    outcome
}

/// Hears of violations that the product itself counts (`check_invariant!`).
#[derive(Default)]
pub struct ViolationCounter {
    counted: Arc<Mutex<Vec<String>>>,
}

impl ViolationCounter {
    /// The invariants counted so far.
    pub fn counted(&self) -> Vec<String> {
        self.counted.lock().clone()
    }
}

struct Named {
    invariant: String,
    counted: Arc<Mutex<Vec<String>>>,
}

impl CounterFn for Named {
    fn increment(&self, _: u64) {
        self.counted.lock().push(self.invariant.clone());
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for ViolationCounter {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() != "nearline_invariant_violations_total" {
            return Counter::noop();
        }
        let invariant = key.labels().next().map_or_else(String::new, |label| label.value().to_owned());
        Counter::from_arc(Arc::new(Named { invariant, counted: self.counted.clone() }))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
