//! Off-line evaluation: what was, or would have been, worth how much, from logs.

pub mod policy;
