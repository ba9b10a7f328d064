//! The checks on small made-up trees: each passes where it should and fails where it should.

mod api;
mod arrows;
mod circles;
mod findings;
mod invariants;
mod never;
mod scan;
mod tidy;
mod told_commands;
mod tree;
