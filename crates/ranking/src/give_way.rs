//! Long calculations give way now and then.
//!
//! A thread of low priority gets a small share of a core, but what it gets the system gives it in turns of some milliseconds: on
//! Linux, a turn that has begun is mostly let come to its end, whoever is woken meanwhile. So loops that go on for longer tell
//! what they have done, and end the turn by themselves after about a millisecond; where nobody waits, they go on at once. Not
//! more often: where somebody does, the rest of the turn is forfeited. Sorting is not interrupted.

use std::cell::Cell;

/// Operations after which a turn ends, of about a nanosecond each.
const TURN: usize = 1 << 20;
/// Multiplications of a product of matrices that take about as long as one operation.
pub(crate) const PRODUCTS: usize = 32;

thread_local! {
    static DONE: Cell<usize> = const { Cell::new(0) };
}

/// So many operations more are done: lets another thread that is ready have the processor, if its time has come.
pub(crate) fn worked(operations: usize) {
    let done = DONE.get() + operations;
    if done < TURN {
        return DONE.set(done);
    }
    DONE.set(0);
    std::thread::yield_now();
}
