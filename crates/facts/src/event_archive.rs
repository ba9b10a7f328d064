//! Events as they were published, kept for good: a Delta table of what a log held.
//!
//! Each partition has one writer at a time. It writes a file, then one commit with the file and how far the partition has
//! come: a crash between the two leaves a file that no version names. A second writer of the same partition finds that it
//! has come further, and what it wrote is not added: no event is there twice.

mod erase;
mod rows;

use std::collections::BTreeMap;

use nearline_model::identifier::{Blocks, position_of, sequence_of};
use nearline_model::{LogRecord, PartitionId, Position};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::delta::{Add, Change, Committed, DeltaTable, Metadata, Transaction};
use crate::error::{FactsError, Result};
use crate::location::Location;
use crate::marks;
use crate::table_writer::{TableWriter, properties};
use crate::tidy::{Form, Rows, Tidied, Tidying};

pub use erase::{Erased, Forgotten, Limit, Limits};
pub(crate) use erase::{ErasedRows, Erasing};
pub use rows::Events;

/// The setting that holds the number of partitions.
pub(crate) const PARTITIONS: &str = "nearline.partitions";
/// The setting that holds the identity of the log: positions mean nothing in another one.
pub(crate) const LOG: &str = "nearline.log";
/// The setting that holds how many records a message of the log may hold; without it, one.
const BLOCK: &str = "nearline.block";

/// The archive of a log's events.
#[derive(Debug)]
pub struct EventArchive {
    table: DeltaTable,
    partitions: u16,
    blocks: Blocks,
}

/// The log that an archive is of.
#[derive(Debug, Clone, Copy)]
pub struct ArchivedLog<'a> {
    /// Its identity.
    pub identity: &'a str,
    /// Its partitions.
    pub partitions: u16,
    /// What its messages may hold.
    pub blocks: Blocks,
}

/// What became of a batch of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archived {
    /// They are in the archive.
    Added {
        /// Bytes of their file.
        bytes: u64,
    },
    /// Another writer has come further with the partition: nothing was added.
    Overtaken {
        /// Position of the last event that is in the archive.
        last: Position,
    },
}

impl EventArchive {
    /// Opens the archive of a log, or makes it, under an id of its own.
    ///
    /// # Errors
    /// A folder that cannot be read or written, or holds something else; an archive of another log.
    pub fn open(location: impl Into<Location>, log: ArchivedLog<'_>, id: &str, now_ms: i64) -> Result<Self> {
        let location = location.into();
        let root = location.folder().to_owned();
        let made = || metadata(log, id, now_ms);
        let table = DeltaTable::open_or_create(location, made, now_ms)?;
        let archive = Self::of(table)?;
        let archived = archive.table.setting(LOG).unwrap_or_default();
        let ArchivedLog { identity, partitions, blocks } = log;
        if archived != identity || archive.partitions != partitions || archive.blocks != blocks {
            return Err(FactsError::Refused(format!(
                "{} is the archive of the log {archived} of {} partitions, with up to {} events in a message, and this is the log \
                 {identity} of {partitions}, with up to {}; name another folder",
                root.display(),
                archive.partitions,
                archive.blocks.records(),
                blocks.records()
            )));
        }
        Ok(archive)
    }

    /// Opens an archive that is there.
    ///
    /// # Errors
    /// A folder that is no archive of events.
    pub fn existing(location: impl Into<Location>) -> Result<Self> {
        let location = location.into();
        let root = location.folder().to_owned();
        match DeltaTable::open(location)? {
            Some(table) => Self::of(table),
            None => Err(FactsError::Refused(format!(
                "{} is no archive of events; `nearline-lab archive` makes one",
                root.display()
            ))),
        }
    }

    fn of(table: DeltaTable) -> Result<Self> {
        let partitions =
            table.setting(PARTITIONS).and_then(|text| text.parse().ok()).filter(|count| *count > 0);
        let block = table.setting(BLOCK).and_then(|text| text.parse().ok());
        let blocks = block.map_or_else(Blocks::default, Blocks::of);
        match partitions {
            Some(partitions) => Ok(Self { table, partitions, blocks }),
            None => Err(FactsError::Refused(format!(
                "{} is a Delta table, but no archive of events: the setting {PARTITIONS} is not there",
                table.root().display()
            ))),
        }
    }

    /// Partitions of the log.
    pub fn partitions(&self) -> u16 {
        self.partitions
    }

    /// What messages of the log may hold.
    pub fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// The identity of the log.
    pub fn log(&self) -> &str {
        self.table.setting(LOG).unwrap_or_default()
    }

    /// The table.
    pub fn table(&self) -> &DeltaTable {
        &self.table
    }

    /// Position of the last event of a partition that is in the archive; 0 if there is none.
    pub fn last(&self, partition: PartitionId) -> Position {
        let last = self.table.transaction(&application(partition)).unwrap_or_default();
        Position(u64::try_from(last).unwrap_or_default())
    }

    /// Whether a record of the log may be the one that was archived from its position: not, if that was the last of the
    /// partition, and had another fingerprint.
    pub fn may_be(&self, partition: PartitionId, record: &LogRecord) -> bool {
        marks::may_be(&self.table, &application(partition), record.position.0, record.mark())
    }

    /// Position of the first event of a partition that was archived and is still kept; none if there is none.
    pub fn first(&self, partition: PartitionId) -> Option<Position> {
        let of_partition = prefix_of(partition);
        let first = self.table.files().find_map(|file| file.path.strip_prefix(&of_partition))?;
        first.split('-').next()?.parse().ok()
    }

    /// Refuses a partition whose first events are gone: state is the fold of all of them.
    ///
    /// # Errors
    /// Which events are there.
    pub fn check_whole(&self, partition: PartitionId) -> Result<()> {
        let last = self.last(partition);
        let Some(found) = self.first(partition) else {
            if last.is_start() {
                return Ok(());
            }
            return Err(FactsError::Refused(format!(
                "the archive's events of partition {partition} up to position {last} are gone, and with them what their state is made of"
            )));
        };
        let number = sequence_of(found, partition, self.partitions);
        if number.is_some_and(|number| self.blocks.follows(0, number)) {
            return Ok(());
        }
        Err(FactsError::Refused(format!(
            "the archive's events of partition {partition} begin at position {found}, not at {}: what was before is gone, and with \
             it what their state is made of",
            position_of(1, partition, self.partitions)
        )))
    }

    /// Adds the events of a partition that follow the last one, in order, under a name that is nobody else's.
    ///
    /// # Errors
    /// A folder that cannot be written; events that are missing, or come twice.
    pub fn add(
        &mut self,
        partition: PartitionId,
        records: &[LogRecord],
        nonce: &str,
        now_ms: i64,
    ) -> Result<Archived> {
        let expected = self.last(partition);
        let (Some(first), Some(last)) = (records.first(), records.last()) else {
            return Ok(Archived::Added { bytes: 0 });
        };
        self.check_order(partition, records)?;
        let (first, last, mark) = (first.position, last.position, last.mark());
        let name = format!("{}{first:020}-{last:020}-{nonce}.parquet", prefix_of(partition));
        let path = self.table.root().join(&name);
        let batch = rows::batch(partition, records)?;
        let mut writer = TableWriter::create(&path, &rows::schema(), dictionaries())?;
        writer.write(&batch, Vec::new())?;
        let bytes = writer.finish_synced()?;
        self.table.location().keep(&name)?;
        let version = i64::try_from(last.0).map_err(|_| {
            FactsError::Refused(format!("position {last} is beyond what a Delta table can hold"))
        })?;
        let change = Change {
            add: vec![Add::new(name.clone(), bytes, records.len() as u64, now_ms)],
            transactions: std::iter::once(Transaction {
                app_id: application(partition),
                version,
                last_updated: Some(now_ms),
            })
            .chain(marks::note(&application(partition), version, mark, now_ms))
            .collect(),
            operation: "WRITE",
            ..Change::default()
        };
        // Commits of other partitions are no reason to give up; each attempt means that somebody else got on.
        while self.table.commit(&change, now_ms)? == Committed::Conflict {
            self.table.refresh()?;
            let found = self.last(partition);
            if found != expected {
                self.table.location().delete(&name)?;
                return Ok(Archived::Overtaken { last: found });
            }
        }
        Ok(Archived::Added { bytes })
    }

    /// Keeps the table fit for use: small files of days that are over become large ones; old files go, and those of writers
    /// that died. Events stay in the order of the log.
    ///
    /// # Errors
    /// Files that cannot be read, written or deleted; another one that tidied or erased at the same time.
    pub fn tidy(&mut self, tidying: &Tidying, name: impl FnMut() -> String) -> Result<Tidied> {
        let form = Form {
            schema: rows::schema(),
            properties: &dictionaries,
            series: Some(partition_in),
            name: spanning,
        };
        Tidying { by_week: false, ..tidying.clone() }.run(&mut self.table, Rows::Ordered(&form), name)
    }

    /// Refuses events that do not follow the last one: each is so many positions behind the one before as there are
    /// partitions; in a log with blocks, one may be the first of the next block.
    fn check_order(&self, partition: PartitionId, records: &[LogRecord]) -> Result<()> {
        let mut before = sequence_of(self.last(partition), partition, self.partitions);
        for record in records {
            let sequence = sequence_of(record.position, partition, self.partitions);
            // The first of all may be any: what a log held before that may be gone.
            let follows = |next| before.is_none_or(|before| self.blocks.follows(before, next));
            if !sequence.is_some_and(follows) {
                return Err(FactsError::Refused(format!(
                    "the event at position {} of partition {partition} does not follow the one before it (the archive ends at \
                     {}): events are missing, or come twice",
                    record.position,
                    self.last(partition)
                )));
            }
            before = sequence;
        }
        Ok(())
    }

    /// The event that was archived from a position, if it is there.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn record(&self, partition: PartitionId, position: Position) -> Result<Option<LogRecord>> {
        let of_partition = prefix_of(partition);
        let holds = |name: &str| {
            let mut bounds = name.strip_prefix(&of_partition)?.split('-').map_while(|text| text.parse().ok());
            Some((bounds.next()?..=bounds.next()?).contains(&position.0))
        };
        let names = self.table.files().filter(|file| holds(&file.path) == Some(true));
        for batch in Events::of(self.table.location().clone(), names.map(|file| file.path.clone()).collect())
        {
            let found = batch?.into_iter().find(|record| record.position == position);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The events of a partition, in order; what cannot be read is an error in its place.
    pub fn events(&self, partition: PartitionId) -> Events {
        let of_partition = prefix_of(partition);
        // Names hold positions of one width: their order is the log's.
        let names = self.table.files().filter(|file| file.path.starts_with(&of_partition));
        Events::of(self.table.location().clone(), names.map(|file| file.path.clone()).collect())
    }
}

/// What names of a partition's files begin with: `events-p00007-`.
fn prefix_of(partition: PartitionId) -> String {
    format!("events-p{:05}-", partition.0)
}

/// The part of a file's name that is its partition's.
fn partition_in(name: &str) -> &str {
    name.get(..PREFIX).unwrap_or(name)
}

/// Bytes of [`prefix_of`], and of a position behind it.
const PREFIX: usize = 14;
const POSITION_DIGITS: usize = 20;

/// The name of a file from the first position of one to the last of another.
fn spanning(first: &str, last: &str, nonce: &str) -> String {
    let start = first.get(..PREFIX + POSITION_DIGITS).unwrap_or(first);
    let end = last.get(PREFIX + POSITION_DIGITS..PREFIX + 1 + 2 * POSITION_DIGITS).unwrap_or_default();
    format!("{start}{end}-{nonce}.parquet")
}

/// Columns of few values have a dictionary.
fn dictionaries() -> WriterProperties {
    let columns = ["kind", "schema_version", "partition", "ordinal", "title"];
    let dictionary = |builder: WriterPropertiesBuilder, column: &str| {
        builder.set_column_dictionary_enabled(ColumnPath::from(column), true)
    };
    columns.into_iter().fold(properties(None), dictionary).build()
}

fn application(partition: PartitionId) -> String {
    format!("nearline-archive-p{:05}", partition.0)
}

fn metadata(log: ArchivedLog<'_>, id: &str, now_ms: i64) -> Metadata {
    let mut configuration = BTreeMap::from([
        (PARTITIONS.to_owned(), log.partitions.to_string()),
        (LOG.to_owned(), log.identity.to_owned()),
    ]);
    if log.blocks != Blocks::default() {
        configuration.insert(BLOCK.to_owned(), log.blocks.records().to_string());
    }
    Metadata {
        id: id.to_owned(),
        schema_string: rows::delta_schema(),
        configuration,
        created_time: Some(now_ms),
        ..Metadata::default()
    }
}
