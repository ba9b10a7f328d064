//! The fold, from outside: whatever the batches, commits, evictions and restarts on the way, the same
//! log gives the same bytes (I2, I3), and each rule of the fold holds.

#[path = "fold/arms.rs"]
mod arms;
#[path = "fold/attribution.rs"]
mod attribution;
#[path = "fold/clock.rs"]
mod clock;
#[path = "fold/contests.rs"]
mod contests;
#[path = "fold/facts.rs"]
mod facts;
#[path = "fold/full_tables.rs"]
mod full_tables;
#[path = "fold/harness.rs"]
mod harness;
#[path = "fold/late.rs"]
mod late;
#[path = "fold/quarantine.rs"]
mod quarantine;
#[path = "fold/replay.rs"]
mod replay;
#[path = "fold/rules.rs"]
mod rules;
