//! Queries and their answers.

use nearline_actors::Source;
use nearline_model::quarantine::Quarantine;
use nearline_model::{MemberSnapshot, PartitionId, Position};

/// A query and its answer.
pub struct Asked {
    /// The member's partition.
    pub partition: PartitionId,
    /// The member.
    pub member: String,
    /// Position insisted on; 0: none.
    pub after: Position,
    /// How long it took, unless the node was paused meanwhile.
    pub took_ms: Option<u64>,
    /// Whether one node alone ran the partition all the while, under the current epoch and on a store that
    /// was not rolled back since.
    pub owned: bool,
    /// What the partition's folds stepped over when it was asked: it may have been answered before more was.
    pub quarantine: Quarantine,
    /// Source and state; `None`: the position was not reached.
    pub answer: Option<(Source, Option<MemberSnapshot>)>,
}
