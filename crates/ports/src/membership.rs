//! The registry of nodes, and questions from one node to another.

use crate::PortError;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::Beat;
use nearline_model::{PartitionId, Position};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot};

/// What a node says of itself, again and again. Kept as JSON: nodes of different versions meet during
/// a rolling upgrade, so fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// Who it is and what it holds.
    pub beat: Beat,
    /// Where its API is reached, for operators; empty: not told.
    #[serde(default)]
    pub address: String,
    /// Position committed in each partition that it holds: others learn up to there from the outbox.
    #[serde(default)]
    pub committed: BTreeMap<PartitionId, Position>,
    /// Identity of the log that it runs partitions of; empty: not told.
    #[serde(default)]
    pub log: String,
}

/// What the registry delivers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipEvent {
    /// A node has announced itself.
    Announced(Announcement),
    /// A node has withdrawn.
    Withdrawn(NodeId),
}

/// What became of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// It is in the registry.
    Done,
    /// Another process announced itself under the same name since: this one is to stop.
    Replaced,
}

/// A question of another node. Dropped without an answer, it is left to run out of time.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub body: Bytes,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Bytes>,
}

/// Nodes find each other here. What is announced is delivered to every watcher in the same order, the
/// own included; that order is what judging nodes dead rests on ([`nearline_model::control::ownership`]).
#[async_trait]
pub trait Membership: Send + Sync + 'static {
    /// Announces a node. A process that announces itself under a name for the first time replaces
    /// whoever had it; [`Announced::Replaced`] tells the other one.
    async fn announce(&self, announcement: &Announcement) -> Result<Announced, PortError>;

    /// Takes a node out, unless another life of it has announced itself since.
    async fn withdraw(&self, node: &NodeId, incarnation: u64) -> Result<(), PortError>;

    /// The last announcement of each node, then every one as it comes. Ends when something was or may
    /// have been missed: watch again.
    async fn watch(&self) -> Result<mpsc::Receiver<MembershipEvent>, PortError>;

    /// Questions to `node`, until the receiver is dropped.
    async fn listen(&self, node: &NodeId) -> Result<mpsc::Receiver<Question>, PortError>;

    /// Asks `node`. Fails at once where nobody listens; the caller bounds the time otherwise.
    async fn ask(&self, node: &NodeId, body: Bytes) -> Result<Bytes, PortError>;
}
