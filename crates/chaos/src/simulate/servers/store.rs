//! The store's server: an older copy of everything may be restored.

use crate::simulate::mutation::Mutation;
use bytes::Bytes;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::{PartitionId, Position, RecordMark};
use nearline_ports::{Acquired, AggregatesSnapshot, PartitionFaults, PortError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is stored of one partition.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// The current owner's epoch.
    pub epoch: OwnerEpoch,
    /// Position that the members reflect.
    pub position: Position,
    /// Stored forms.
    pub members: BTreeMap<Box<str>, Bytes>,
    /// From number 1 on.
    pub symbols: Vec<Arc<str>>,
    /// What the fold goes on from beside members and symbols.
    pub fold_state: Option<Bytes>,
    /// Events that are stepped over, and suspects.
    pub troubles: PartitionFaults,
    /// Encoded deltas by their position.
    pub outbox: BTreeMap<Position, Bytes>,
    /// Epoch of the last commit.
    pub committed_by: OwnerEpoch,
    /// Where the log began for the first owner.
    pub begins: Option<Position>,
    /// Settings of the fold that the first owner came with.
    pub settings: Option<String>,
    /// The log that it was folded from.
    pub folded_log: Option<String>,
    /// Of the record at `position`.
    pub mark: Option<RecordMark>,
}

#[derive(Debug, Clone, Default)]
struct Contents {
    rows: Vec<Row>,
    snapshot: Option<AggregatesSnapshot>,
    /// How often it was asked where the snapshot ends.
    generation: u64,
    tuning: Option<Bytes>,
}

/// What the server holds.
#[derive(Debug, Default)]
pub struct StoreServer {
    contents: Contents,
    copy: Option<Contents>,
    /// How often it was set back to a copy.
    pub rolled_back: u64,
    /// By partition, the first event that was stepped over until the store was set back; it may have been folded since.
    pub stepped_over_once: Vec<Option<Position>>,
    /// Highest epoch ever given out: none is given out again, whatever is restored (Redis takes its
    /// clock for that).
    highest_epoch: OwnerEpoch,
    /// The same of generations of the snapshot.
    highest_generation: u64,
}

impl StoreServer {
    /// An empty store.
    pub fn new(partitions: u16) -> Self {
        let rows = vec![Row::default(); usize::from(partitions)];
        Self {
            contents: Contents { rows, ..Contents::default() },
            copy: None,
            rolled_back: 0,
            stepped_over_once: vec![None; usize::from(partitions)],
            highest_epoch: OwnerEpoch::NONE,
            highest_generation: 0,
        }
    }

    /// What is stored of a partition.
    pub fn row(&self, partition: PartitionId) -> &Row {
        &self.contents.rows[usize::from(partition.0)]
    }

    /// The same, to write to.
    pub fn row_mut(&mut self, partition: PartitionId) -> &mut Row {
        &mut self.contents.rows[usize::from(partition.0)]
    }

    /// The aggregates stored last.
    pub fn snapshot(&self) -> Option<AggregatesSnapshot> {
        self.contents.snapshot.clone()
    }

    /// How often it was asked where the snapshot ends.
    pub fn generation(&self) -> u64 {
        self.contents.generation
    }

    /// What was chosen for the ranking.
    pub fn tuning(&self) -> Option<Bytes> {
        self.contents.tuning.clone()
    }

    /// Puts what was chosen for the ranking in the place of what is stored.
    pub fn save_tuning(&mut self, tuning: Bytes) {
        self.contents.tuning = Some(tuning);
    }

    /// Where the snapshot ends in a partition.
    pub fn end_of_sums(&mut self, partition: PartitionId) -> Option<Position> {
        self.highest_generation += 1;
        self.contents.generation = self.highest_generation;
        self.contents.snapshot.as_ref().map(|snapshot| snapshot.positions[usize::from(partition.0)])
    }

    /// Up to where nobody needs the log of a partition any more: neither the store nor its copy.
    pub fn covered(&self, partition: PartitionId) -> Position {
        let at = usize::from(partition.0);
        let copied = self.copy.as_ref().map_or(Position::MAX, |copy| copy.rows[at].position);
        self.contents.rows[at].position.min(copied)
    }

    /// Whether each partition was ever taken over: then its log is known.
    pub fn knows_its_log(&self) -> bool {
        self.contents.rows.iter().all(|row| row.folded_log.is_some())
    }

    /// Keeps a copy of everything.
    pub fn back_up(&mut self) {
        self.copy = Some(self.contents.clone());
    }

    /// Everything is as it was at the last copy, except for the snapshot of the sums with `keeps_sums`, as where another
    /// server holds that; false if there is no copy.
    pub fn roll_back(&mut self, keeps_sums: bool) -> bool {
        match self.copy.take() {
            None => false,
            Some(copy) => {
                for (once, row) in self.stepped_over_once.iter_mut().zip(&self.contents.rows) {
                    let first = row.troubles.quarantine.iter().map(|entry| entry.position).min();
                    *once = once.iter().copied().chain(first).min();
                }
                let sums = self.contents.snapshot.take().filter(|_| keeps_sums);
                self.contents = copy;
                self.contents.snapshot = sums.or(self.contents.snapshot.take());
                self.rolled_back += 1;
                true
            }
        }
    }

    /// Gives a partition to a new owner.
    ///
    /// # Errors
    /// [`PortError::Misconfigured`] where its state is another log's.
    pub fn acquire(
        &mut self,
        partition: PartitionId,
        log: &str,
        settings: &str,
        mutation: Option<Mutation>,
    ) -> Result<Acquired, PortError> {
        if let Some(folded) = self.row(partition).folded_log.as_deref()
            && folded != log
        {
            return Err(PortError::foreign_log("the simulated store", partition, folded, log));
        }
        let reused = mutation == Some(Mutation::ReuseEpoch) && self.row(partition).epoch.is_given();
        let epoch = if reused { self.row(partition).epoch } else { self.highest_epoch.next() };
        self.highest_epoch = self.highest_epoch.max(epoch);
        let row = self.row_mut(partition);
        row.epoch = epoch;
        row.folded_log = Some(log.to_owned());
        let kept = row.settings.clone();
        row.settings.get_or_insert_with(|| settings.to_owned());
        if mutation == Some(Mutation::LoseOutbox) {
            row.outbox.clear();
        }
        let is_lost = mutation == Some(Mutation::LoseFoldState);
        let (position, mark, symbols) = (row.position, row.mark, row.symbols.clone());
        let fold_state = row.fold_state.clone().filter(|_| !is_lost);
        Ok(Acquired { epoch, position, mark, symbols, fold_state, settings: kept })
    }

    /// Forgets what was folded of a partition.
    pub fn forget(&mut self, partition: PartitionId) {
        self.highest_epoch = self.highest_epoch.next();
        let epoch = self.highest_epoch;
        let row = self.row_mut(partition);
        let troubles = std::mem::take(&mut row.troubles);
        *row = Row { epoch, troubles, ..Row::default() };
    }

    /// Forgets the snapshot of the aggregates.
    pub fn forget_snapshot(&mut self) {
        self.contents.snapshot = None;
    }

    /// Stores a snapshot of the aggregates, unless a better one is there.
    pub fn save(&mut self, snapshot: AggregatesSnapshot, mutation: Option<Mutation>) -> bool {
        let lesser = self.contents.snapshot.as_ref().is_some_and(|stored| {
            stored.positions.iter().zip(&snapshot.positions).any(|(stored, offered)| offered < stored)
        });
        if lesser && mutation != Some(Mutation::AcceptLesserSnapshot) {
            return false;
        }
        for (row, covered) in self.contents.rows.iter_mut().zip(&snapshot.positions) {
            row.outbox = row.outbox.split_off(covered);
        }
        self.contents.snapshot = Some(snapshot);
        true
    }
}
