//! Adapters of the ports of `nearline-ports`: `embedded` (one directory, no server),
//! `nats` (JetStream) and `redis`.
//!
//! What is deliberately absent: decisions. An adapter stores, reads and reports.

pub mod cluster;
pub mod embedded;
mod log_identity;
pub mod nats;
pub mod redis;
mod server_version;
mod threads;
mod tls;
