//! Steps that the expressions of one request may take together.

use std::cell::Cell;

/// A budget of evaluation steps: one for each node evaluated and each element of a list looked at, and
/// one for every 16 bytes of text compared.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
    spent_out: Cell<bool>,
}

impl Budget {
    /// A budget of `steps`.
    pub fn new(steps: u64) -> Self {
        Self { left: Cell::new(steps), spent_out: Cell::new(false) }
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
        self.left.set(left);
        Some(())
    }
}
