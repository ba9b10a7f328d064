//! Control: who runs a partition, and what is done about a fault, as decisions.
//!
//! [`assignment`] says which node is to own which partition, [`ownership`] when a node may take one and
//! must let it go, [`watchdog`] when an actor or a reader counts as stuck, and [`remediation`] what is done
//! about it. All are pure functions of what was seen and of times that are handed in: the shells in
//! `nearline-actors` look, ask here, and act.

pub mod assignment;
pub mod ownership;
pub mod remediation;
pub mod watchdog;
