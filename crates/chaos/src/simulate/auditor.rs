//! Checks each step of the store as it happens, with books of its own.

use super::Violation;
use bytes::Bytes;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::Batch;
use nearline_model::quarantine::Quarantine;
use nearline_model::{Commit, FoldSettings, LogRecord, Partition, PartitionId, Position};
use std::collections::BTreeMap;

/// What the auditor knows of one partition.
struct Book {
    /// Owners up to this epoch may have read what was rolled back since.
    rolled_back: OwnerEpoch,
    /// Epoch given out last, as far as the store remembers.
    epoch: OwnerEpoch,
    position: Position,
    /// The log folded again, up to some commit.
    folded: Partition,
    /// Records of the log in `folded`.
    records: usize,
}

/// Watches every acquisition and every commit.
pub struct Auditor {
    books: Vec<Book>,
    copy: Option<Vec<(OwnerEpoch, Position)>>,
    highest_epoch: OwnerEpoch,
    partitions: u16,
    fold: FoldSettings,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Commits checked.
    pub commits: u64,
}

impl Auditor {
    /// Empty books.
    pub fn new(partitions: u16, fold: FoldSettings) -> Self {
        let book = |partition| Book {
            rolled_back: OwnerEpoch::NONE,
            epoch: OwnerEpoch::NONE,
            position: Position::START,
            folded: Partition::new(PartitionId(partition), partitions, fold.clone()),
            records: 0,
        };
        Self {
            books: (0..partitions).map(book).collect(),
            copy: None,
            highest_epoch: OwnerEpoch::NONE,
            partitions,
            fold,
            violations: Vec::new(),
            commits: 0,
        }
    }

    fn violated(&mut self, invariant: &'static str, what: String) {
        self.violations.push(Violation { invariant, what });
    }

    /// An epoch was given out: it must be new.
    pub fn acquired(&mut self, partition: PartitionId, epoch: OwnerEpoch) {
        if epoch <= self.highest_epoch {
            let what = format!("{partition}: epoch {epoch} was given out after {}", self.highest_epoch);
            self.violated("I4", what);
        }
        self.highest_epoch = self.highest_epoch.max(epoch);
        self.books[usize::from(partition.0)].epoch = epoch;
    }

    /// Whether `epoch` owns the partition, on a store that was not rolled back since. What others read
    /// from the store may be newer or older than what they folded: they will never commit it.
    pub fn owns(&self, partition: PartitionId, epoch: OwnerEpoch) -> bool {
        let book = &self.books[usize::from(partition.0)];
        book.epoch == epoch && epoch > book.rolled_back
    }

    /// The store was copied.
    pub fn backed_up(&mut self) {
        self.copy = Some(self.books.iter().map(|book| (book.epoch, book.position)).collect());
    }

    /// The copy was restored: offsets and owners are those of then.
    pub fn rolled_back(&mut self) {
        for (book, (epoch, position)) in self.books.iter_mut().zip(self.copy.take().unwrap_or_default()) {
            (book.epoch, book.position, book.rolled_back) = (epoch, position, self.highest_epoch);
            // What was stepped over may be folded now: who put it there is forgotten with the rest.
            book.folded = Partition::new(book.folded.id(), self.partitions, self.fold.clone());
            book.records = 0;
        }
    }

    /// A commit was carried out: by the owner, at the right place, with members that equal the fold of
    /// the log up to it.
    pub fn committed(
        &mut self,
        commit: &Commit,
        log_last: Position,
        log: &[LogRecord],
        quarantine: &Quarantine,
    ) {
        self.commits += 1;
        let Commit { partition, epoch, expected, position, .. } = *commit;
        let book = &self.books[usize::from(partition.0)];
        let (owner, before) = (book.epoch, book.position);
        if epoch != owner {
            self.violated("I5", format!("{partition}: commit of epoch {epoch} succeeded, owner is {owner}"));
        }
        if expected != before || position <= before {
            let what = format!("{partition}: commit {expected}..={position} succeeded at position {before}");
            self.violated("I4", what);
        }
        if position > log_last {
            let what = format!("{partition}: commit at {position}, the log ends at {log_last}");
            self.violated("I3", what);
        }
        self.books[usize::from(partition.0)].position = position;
        self.compare_members(commit, log, quarantine);
    }

    fn compare_members(&mut self, commit: &Commit, log: &[LogRecord], quarantine: &Quarantine) {
        let book = &mut self.books[usize::from(commit.partition.0)];
        if book.folded.folded() >= commit.position {
            // Not where commits follow each other, which was told above.
            return;
        }
        let upto = log.partition_point(|record| record.position <= commit.position);
        fold(&mut book.folded, &log[book.records..upto], self.fold.event_bytes, quarantine);
        book.records = upto;
        // What the same records change in a fold of their own: the commit has all of it, and nothing else.
        // Without records in the log there is nothing to hold it against.
        let Some(own) = book.folded.take_commit(OwnerEpoch::NONE) else { return };
        let is_comparable = own.expected == commit.expected;
        let own: BTreeMap<&str, &Bytes> = own.members.iter().map(|(name, form)| (&**name, form)).collect();
        let brought: BTreeMap<&str, &Bytes> =
            commit.members.iter().map(|(name, form)| (&**name, form)).collect();
        let differs = |name: &str, form: &Bytes| match own.get(name) {
            Some(own) => *own != form,
            // Changed by records before those of this commit, as the books have them: a replay.
            None => is_comparable,
        };
        let left_out = own.keys().filter(|name| is_comparable && !brought.contains_key(*name));
        let differing: Vec<String> = brought
            .iter()
            .filter(|(name, form)| differs(name, form))
            .map(|(name, _)| *name)
            .chain(left_out.copied())
            .map(str::to_owned)
            .collect();
        if book.folded.fold_state() != commit.fold_state {
            let (partition, position) = (commit.partition, commit.position);
            self.violated(
                "I3",
                format!("{partition} at {position}: the fold state differs from that of the log"),
            );
        }
        if !differing.is_empty() {
            let (partition, position) = (commit.partition, commit.position);
            let what =
                format!("{partition} at {position}: members {differing:?} differ from the fold of the log");
            self.violated("I3", what);
        }
    }
}

/// Folds records of a partition's own log; members not seen before are new.
pub fn fold(partition: &mut Partition, records: &[LogRecord], event_bytes: usize, quarantine: &Quarantine) {
    if records.is_empty() {
        return;
    }
    let (admitted, missing) =
        partition.admit(Batch::parse_except(records.to_vec(), event_bytes, quarantine, |_| {}));
    for slot in missing {
        partition.loaded(slot, None).expect("a member without stored form needs no reading");
    }
    partition.fold(admitted, |_, _| {});
}
