//! Steps that the expressions of one request may take together.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Set when nobody waits for the result any more.
pub type Stop = Arc<AtomicBool>;

/// Steps between two looks at it.
const LOOK_EVERY: u64 = 1_024;

/// A budget of evaluation steps: one for each node evaluated and each element of a list looked at, and
/// one for every 16 bytes of text compared.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
    spent_out: Cell<bool>,
    stop: Stop,
}

impl Budget {
    /// A budget of `steps`.
    pub fn new(steps: u64) -> Self {
        Self { left: Cell::new(steps), spent_out: Cell::new(false), stop: Stop::default() }
    }

    /// The same, which counts as spent out once `stop` is set.
    pub fn until(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// Whether something was not evaluated because the steps had run out: what was made of the
    /// results is then not to be used.
    pub fn is_spent_out(&self) -> bool {
        self.spent_out.get()
    }

    /// Takes `steps`; `None` if there are not as many.
    pub(super) fn take(&self, steps: u64) -> Option<()> {
        let Some(left) = self.left.get().checked_sub(steps) else {
            self.spent_out.set(true);
            return None;
        };
        if left / LOOK_EVERY != self.left.get() / LOOK_EVERY && self.stop.load(Relaxed) {
            self.left.set(0);
            self.spent_out.set(true);
            return None;
        }
        self.left.set(left);
        Some(())
    }
}
