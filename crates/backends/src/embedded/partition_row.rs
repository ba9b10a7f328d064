//! What the store knows of a partition beside its members.

use super::failure::damaged;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::{Commit, PartitionId, Position, RecordMark};
use nearline_ports::PortError;
use serde::{Deserialize, Serialize};

const ROW_VERSION: u32 = 1;

/// The row of a partition, stored as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartitionRow {
    version: u32,
    /// The latest epoch given out; 0: none.
    pub(super) epoch: OwnerEpoch,
    /// Position that the state reflects.
    pub(super) position: Position,
    /// Epoch of the commit that brought it there.
    committed_by: OwnerEpoch,
    /// The fold's settings of the first owner.
    pub(super) settings: Option<String>,
    /// Where that log began for the first owner.
    #[serde(default)]
    pub(super) begins: Option<Position>,
    /// The log that it was folded from.
    #[serde(default)]
    pub(super) log: Option<String>,
    /// Of the record at `position`.
    #[serde(default)]
    pub(super) mark: Option<RecordMark>,
}

impl PartitionRow {
    pub(super) fn empty() -> Self {
        Self {
            version: ROW_VERSION,
            epoch: OwnerEpoch::NONE,
            position: Position::START,
            committed_by: OwnerEpoch::NONE,
            settings: None,
            begins: None,
            log: None,
            mark: None,
        }
    }

    pub(super) fn decode(what: &str, partition: PartitionId, bytes: &[u8]) -> Result<Self, PortError> {
        let row: Self = serde_json::from_slice(bytes)
            .map_err(|error| damaged(what, format!("the row of {partition}: {error}")))?;
        if row.version != ROW_VERSION {
            return Err(damaged(what, format!("the row of {partition} has version {}", row.version)));
        }
        Ok(row)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a struct of numbers and text is JSON")
    }

    /// The row after a take-over by those who fold `log`.
    pub(super) fn acquired(
        &self,
        what: &str,
        partition: PartitionId,
        log: &str,
        settings: &str,
    ) -> Result<Self, PortError> {
        if let Some(folded) = self.log.as_deref()
            && folded != log
        {
            return Err(PortError::foreign_log(what, partition, folded, log));
        }
        let settings = self.settings.clone().or_else(|| Some(settings.to_owned()));
        Ok(Self { epoch: self.epoch.next(), settings, log: Some(log.to_owned()), ..self.clone() })
    }

    /// The row after all that was folded is forgotten.
    pub(super) fn forgotten(&self) -> Self {
        Self { epoch: self.epoch.next(), ..Self::empty() }
    }

    /// The row after `commit`; `None` if it has been made already.
    pub(super) fn committed(&self, commit: &Commit) -> Result<Option<Self>, PortError> {
        let partition = commit.partition;
        if commit.epoch != self.epoch {
            return Err(PortError::Fenced { partition, held: commit.epoch, current: self.epoch });
        }
        if self.position == commit.position && self.committed_by == commit.epoch {
            return Ok(None);
        }
        if self.position != commit.expected || commit.position < commit.expected {
            let (expected, found) = (commit.expected, self.position);
            return Err(PortError::UnexpectedPosition { partition, expected, found });
        }
        let (position, mark, committed_by) = (commit.position, commit.mark, commit.epoch);
        Ok(Some(Self { position, mark, committed_by, ..self.clone() }))
    }
}
