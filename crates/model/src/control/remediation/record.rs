//! A remediation as it is kept and shown: what was wrong, what was done, before and after.

use crate::identifier::{OwnerEpoch, PartitionId, Position};
use serde::{Deserialize, Serialize};

/// Where a partition stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its state: `live`, `holding`, `restarting`…
    pub state: String,
    /// Epoch of its owner.
    pub epoch: OwnerEpoch,
    /// Position of the last record folded.
    pub folded: Position,
    /// Position of the last commit.
    pub committed: Position,
}

/// One remediation. Unknown fields of newer programs are ignored when it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remediation {
    /// Orders remediations by time; the same id again is the same remediation, further along.
    pub id: String,
    /// When the fault was noticed, Unix milliseconds.
    pub at_ms: i64,
    /// The partition.
    pub partition: PartitionId,
    /// Stable code of the fault.
    pub fault: String,
    /// What exactly was wrong.
    pub detail: String,
    /// Stable code of the action.
    pub action: String,
    /// Milliseconds waited before it.
    pub wait_ms: u64,
    /// The event it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// Crashes on that event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Trace that its span is in, 32 hexadecimal digits; none where no traces are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Before.
    pub before: Standing,
    /// After; none while it lasts.
    #[serde(default)]
    pub after: Option<Standing>,
    /// Milliseconds from the fault to `after`; none while it lasts.
    #[serde(default)]
    pub took_ms: Option<u64>,
}
