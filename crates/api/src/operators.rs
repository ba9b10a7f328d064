//! The documents of the operators' listener: what it is sent, and what it answers.
//!
//! Partitions, remediations and findings are answered as the rooms that make them write them; `shapes` describes those.

#[cfg(feature = "openapi")]
pub mod shapes;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What came of folding a partition's log again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VerifyAnswer {
    /// The partition.
    pub partition: u16,
    /// Position up to which it was folded: that of the last commit.
    pub position: u64,
    /// Events folded.
    pub events: u64,
    /// Those of them that are dead letters.
    pub rejected: u64,
    /// Members compared.
    pub members: usize,
    /// Whether every byte that is stored is what the log says.
    pub equal: bool,
    /// What differs, and where: the first few.
    pub mismatches: Vec<String>,
}

/// A partition that another node takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GivenAwayAnswer {
    /// The partition.
    pub partition: u16,
}

/// An event that was published again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedriveAnswer {
    /// Position of its letter.
    pub letter: u64,
    /// Position of the event in its partition's log.
    pub position: u64,
    /// Whether it had been published before this request.
    pub already: bool,
}

/// What a node does for the sums over all members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SumsDocument {
    /// `keeps`: adds what every partition commits, and stores the snapshots; `adds`: the former alone; `follows`: takes over
    /// the snapshots that are stored.
    pub role: String,
    /// By partition: position that the sums reflect here.
    pub positions: Vec<u64>,
}

/// How the nodes stand, as this one sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NodesDocument {
    /// Version of this node.
    pub version: String,
    /// Whether all that this node is to own runs here.
    pub settled: bool,
    /// Other live nodes.
    pub others: usize,
    /// Partitions held here.
    pub held: usize,
    /// Partitions by node; `nobody` has those of no owner.
    pub owners: BTreeMap<String, usize>,
    /// What this node does for the sums.
    pub sums: SumsDocument,
}

/// What whoever asks may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionDocument {
    /// Name of the key; none where no keys are asked for.
    pub name: Option<String>,
    /// Whether it may change anything.
    pub changes: bool,
}

/// A key that the console is to keep.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The key, of scope `view` at least.
    pub key: String,
}

/// A partition to make a fault in.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PartitionFault {
    /// The partition.
    #[cfg_attr(feature = "openapi", schema(maximum = 65_535))]
    pub partition: u16,
}

/// A partition to block, and for how long.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HangFault {
    /// The partition.
    #[cfg_attr(feature = "openapi", schema(maximum = 65_535))]
    pub partition: u16,
    /// Seconds.
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 600))]
    pub seconds: f64,
}

/// Events that are to panic whoever folds them.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PoisonFault {
    /// An event's id, or the start of ids and a star.
    #[cfg_attr(feature = "openapi", schema(pattern = r"^([A-Za-z0-9_-]{1,64}\*?|\*)$"))]
    pub pattern: String,
}

/// A fault that was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Injected {
    /// Its name: the last part of the path.
    pub fault: String,
    /// Its partition, where it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u16>,
    /// How long it lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Which events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// The answer to a fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InjectedAnswer {
    /// What was made.
    pub injected: Injected,
}

/// No event is poisonous any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClearedAnswer {
    /// Patterns that were taken away.
    pub cleared: usize,
}
