//! Breaks Nearline on purpose and proves that nothing was lost, doubled or unavailable.
//!
//! [`simulate`] runs the real actors on adapters in memory that fail in every way their ports allow,
//! in virtual time, from a seed: a failing seed fails again. [`live`] starts real servers and processes,
//! breaks them while clients publish and ask, and judges what is left.
//!
//! [`sizing`] runs the ownership of a hundred nodes and more, without what they fold.
//!
//! What is deliberately absent: product code. Nothing depends on this crate.

pub mod cli;
pub mod live;
pub mod simulate;
pub mod sizing;
