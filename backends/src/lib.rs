//! Adapters of the ports that `nearline-actors` names: `embedded` (one directory, no server),
//! `nats` (JetStream) and `redis`.
//!
//! What is deliberately absent: decisions. An adapter stores, reads and reports.

pub mod cluster;
pub mod embedded;
pub mod local_servers;
pub mod nats;
pub mod redis;
