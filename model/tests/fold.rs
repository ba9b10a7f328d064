//! The fold, from outside: whatever the batches, commits, evictions and restarts on the way, the same
//! log gives the same bytes (I2, I3), and each rule of the fold holds.

#[path = "fold/aggregates.rs"]
mod aggregates;
#[path = "fold/arms.rs"]
mod arms;
#[path = "fold/attribution.rs"]
mod attribution;
#[path = "fold/harness.rs"]
mod harness;
#[path = "fold/page.rs"]
mod page;
#[path = "fold/quarantine.rs"]
mod quarantine;
#[path = "fold/ranking.rs"]
mod ranking;
#[path = "fold/ranking_reference.rs"]
mod ranking_reference;
#[path = "fold/ranking_search.rs"]
mod ranking_search;
#[path = "fold/replay.rs"]
mod replay;
#[path = "fold/rules.rs"]
mod rules;
#[path = "fold/trending.rs"]
mod trending;
