//! Long calculations give way now and then.
//!
//! A thread of low priority gets a small share of a core, but what it gets the system gives it in turns of some milliseconds: on
//! Linux, a turn that has begun is mostly let come to its end, whoever is woken meanwhile. So whatever calculates for longer
//! ends its turn by itself, a few times in a millisecond; where nobody waits, it goes on at once.

/// Lets another thread that is ready have the processor.
pub(crate) fn give_way() {
    std::thread::yield_now();
}

/// The same after every so many steps of a calculation.
pub(crate) struct Steps {
    each: usize,
    taken: usize,
}

impl Steps {
    /// Gives way after every `each` steps.
    pub fn of(each: usize) -> Self {
        Self { each, taken: 0 }
    }

    /// So many steps more are done.
    pub fn took(&mut self, steps: usize) {
        self.taken += steps;
        if self.taken >= self.each {
            self.taken = 0;
            give_way();
        }
    }
}
