//! Facts, kept for good: a Delta table of what was known of members, and one of what they were offered.
//!
//! A commit holds a file and how far the table has come with it: which entries of the stream it has taken, and up to which
//! position of each partition facts of members leave nothing out. Whoever finds that another writer has come further adds
//! nothing: no fact is there twice.

mod decisions;
mod members;

use std::collections::{BTreeMap, HashSet};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use nearline_model::{Fact, LogRecord, PartitionId, Position, RecordMark};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::delta::{Add, Change, Committed, DeltaTable, Metadata, Transaction};
use crate::error::{FactsError, Result};
use crate::event_archive::{Archived, Erased, ErasedRows, Erasing, LOG, Limits, PARTITIONS};
use crate::location::Location;
use crate::marks;
use crate::table_writer::{TableWriter, properties};
use crate::tidy::{Form, Rows, Tidied, Tidying};

/// The setting that says which table it is.
const TABLE: &str = "nearline.facts";

/// Which facts a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactTable {
    /// What was known of members: one row a fact.
    Members,
    /// What they were offered: one row a candidate.
    Decisions,
}

impl FactTable {
    /// Its name, that of its folder, too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Decisions => "decisions",
        }
    }

    fn columns(self) -> Vec<Column> {
        match self {
            Self::Members => members::columns(),
            Self::Decisions => decisions::columns(),
        }
    }

    /// Facts as rows.
    fn batch(self, facts: &[Fact]) -> Result<RecordBatch> {
        match self {
            Self::Members => members::batch(facts),
            Self::Decisions => decisions::batch(facts),
        }
    }
}

/// A column: name, type, whether it may be null, whether it has few values.
struct Column(&'static str, DataType, bool, bool);

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn schema(columns: &[Column]) -> SchemaRef {
    let field = |Column(name, kind, nullable, _): &Column| Field::new(*name, kind.clone(), *nullable);
    std::sync::Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// How far a table has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// A stream, by its identity, and the last entry taken of it.
    pub stream: Option<(String, Taken)>,
    /// Positions up to which nothing is left out, of some partitions.
    pub covered: BTreeMap<PartitionId, Position>,
    /// What was at some of these positions, or before, in the log.
    pub marks: BTreeMap<PartitionId, (Position, RecordMark)>,
}

/// An entry of a stream of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub sequence: u64,
    /// Its fingerprint.
    pub mark: RecordMark,
}

/// A table of facts.
#[derive(Debug)]
pub struct FactArchive {
    table: DeltaTable,
    which: FactTable,
}

impl FactArchive {
    /// Opens a table of facts of a log, by its identity, or makes it, under an id of its own.
    ///
    /// # Errors
    /// A folder that cannot be read or written, or holds something else; a table of another log.
    pub fn open(
        location: impl Into<Location>,
        which: FactTable,
        log: &str,
        partitions: u16,
        id: &str,
        now_ms: i64,
    ) -> Result<Self> {
        let location = location.into();
        let root = location.folder().to_owned();
        let made = || metadata(which, log, partitions, id, now_ms);
        let table = DeltaTable::open_or_create(location, made, now_ms)?;
        let setting = |key| table.setting(key).unwrap_or_default();
        if setting(TABLE) != which.name() {
            return Err(FactsError::Refused(format!(
                "{} is a Delta table, but none of the facts called {}; name another folder",
                root.display(),
                which.name()
            )));
        }
        if setting(LOG) != log || setting(PARTITIONS) != partitions.to_string() {
            return Err(FactsError::Refused(format!(
                "{} holds facts of the log {} of {} partitions, and this is the log {log} of {partitions}; name another folder",
                root.display(),
                setting(LOG),
                setting(PARTITIONS)
            )));
        }
        Ok(Self { table, which })
    }

    /// The table.
    pub fn table(&self) -> &DeltaTable {
        &self.table
    }

    /// Number of the last entry that was taken of a stream.
    pub fn taken(&self, stream: &str) -> u64 {
        let taken = self.table.transaction(&stream_application(stream)).unwrap_or_default();
        u64::try_from(taken).unwrap_or_default()
    }

    /// Whether an entry of a stream may be the one that was taken by its number: not, if that was the last, and had another
    /// fingerprint.
    pub fn may_be(&self, stream: &str, entry: Taken) -> bool {
        marks::may_be(&self.table, &stream_application(stream), entry.sequence, entry.mark)
    }

    /// A position of a partition up to which no fact is left out, if it is known which record was there.
    pub fn marked(&self, partition: PartitionId) -> Option<Position> {
        marks::noted(&self.table, &partition_application(partition)).map(Position)
    }

    /// Whether a record of the log, or of its archive, may be the one at [the position](Self::marked) that facts were made up to:
    /// not, if it has another fingerprint.
    pub fn may_be_of(&self, partition: PartitionId, record: &LogRecord) -> bool {
        marks::may_be(&self.table, &partition_application(partition), record.position.0, record.mark())
    }

    /// Ids of all decisions in the table.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn decision_ids(&self) -> Result<HashSet<String>> {
        let mut ids = HashSet::new();
        for file in self.table.files() {
            let path = self.table.file(&file.path)?;
            let opened = std::fs::File::open(&path).map_err(FactsError::reading(&path))?;
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(opened).map_err(FactsError::parquet(&path))?;
            let column = ProjectionMask::columns(builder.parquet_schema(), [decisions::ID]);
            let reader = builder.with_projection(column).build().map_err(FactsError::parquet(&path))?;
            for batch in reader {
                let batch = batch.map_err(FactsError::parquet(&path))?;
                let wrong =
                    || FactsError::column(&path, decisions::ID, "is not of the type that tables have");
                let column =
                    batch.column_by_name(decisions::ID).and_then(|column| column.as_string_opt::<i32>());
                ids.extend(column.ok_or_else(wrong)?.iter().flatten().map(str::to_owned));
            }
        }
        Ok(ids)
    }

    /// Position up to which no fact of a partition's members is left out.
    pub fn covered(&self, partition: PartitionId) -> Position {
        let covered = self.table.transaction(&partition_application(partition)).unwrap_or_default();
        Position(u64::try_from(covered).unwrap_or_default())
    }

    /// How far it has come with what `of` names: the stream, and the partitions.
    fn standing(&self, of: &Standing) -> (Option<u64>, Vec<Position>) {
        let stream = of.stream.as_ref().map(|(stream, _)| self.taken(stream));
        (stream, of.covered.keys().map(|partition| self.covered(*partition)).collect())
    }

    /// Adds facts that bring the table to `then`, under a name that is nobody else's.
    ///
    /// # Errors
    /// A folder that cannot be written, and facts whose payload cannot be read.
    pub fn add(&mut self, facts: &[Fact], then: &Standing, nonce: &str, now_ms: i64) -> Result<Archived> {
        let before = self.standing(then);
        let mut change = Change { operation: "WRITE", ..Change::default() };
        let mut written = None;
        if !facts.is_empty() {
            let name = format!("{}-{nonce}.parquet", self.which.name());
            let path = self.table.root().join(&name);
            let columns = self.which.columns();
            let batch = self.which.batch(facts)?;
            let mut writer = TableWriter::create(&path, &schema(&columns), dictionaries(&columns))?;
            writer.write(&batch, Vec::new())?;
            let bytes = writer.finish_synced()?;
            self.table.location().keep(&name)?;
            change.add.push(Add::new(name.clone(), bytes, batch.num_rows() as u64, now_ms));
            written = Some((name, bytes));
        }
        change.transactions = transactions(then, now_ms)?;
        // A table that an earlier version made lacks columns that facts have by now.
        change.metadata = self.table.widened(fields(self.which))?;
        while self.table.commit(&change, now_ms)? == Committed::Conflict {
            self.table.refresh()?;
            change.metadata = self.table.widened(fields(self.which))?;
            if self.standing(then) != before {
                if let Some((name, _)) = written {
                    self.table.location().delete(&name)?;
                }
                return Ok(Archived::Overtaken { last: Position::START });
            }
        }
        Ok(Archived::Added { bytes: written.map_or(0, |(_, bytes)| bytes) })
    }

    /// Opens a table that is there; none if there is no such folder.
    ///
    /// # Errors
    /// A folder that holds something else.
    pub fn existing(location: impl Into<Location>, which: FactTable) -> Result<Option<Self>> {
        let location = location.into();
        let root = location.folder().to_owned();
        let Some(table) = DeltaTable::open(location)? else { return Ok(None) };
        if table.setting(TABLE) != Some(which.name()) {
            return Err(FactsError::Refused(format!(
                "{} is a Delta table, but none of the facts called {}",
                root.display(),
                which.name()
            )));
        }
        Ok(Some(Self { table, which }))
    }

    /// Keeps the table fit for use: old files go, but for what was known of each member then, and those of writers that died. Weeks of members are sorted by member; of
    /// what they were offered, small files of days that are over become large ones.
    ///
    /// # Errors
    /// Files that cannot be read, written or deleted; another one that tidied or erased at the same time.
    pub fn tidy(&mut self, tidying: &Tidying, name: impl FnMut() -> String) -> Result<Tidied> {
        let columns = self.which.columns();
        let form = Form {
            schema: schema(&columns),
            properties: &|| dictionaries(&columns),
            series: None,
            name: match self.which {
                FactTable::Decisions => |_, _, nonce| format!("decisions-{nonce}.parquet"),
                FactTable::Members => |_, _, nonce| format!("carried-{nonce}.parquet"),
            },
        };
        let (rows, by_week) = match self.which {
            FactTable::Decisions => (Rows::Ordered(&form), false),
            FactTable::Members => (Rows::Newest(&form), tidying.by_week),
        };
        Tidying { by_week, ..tidying.clone() }.run(&mut self.table, rows, name)
    }

    /// Erases members, each up to a position, and proves it. `name` gives names that are nobody else's. Archivers may run
    /// meanwhile; two erasures may not.
    ///
    /// # Errors
    /// Files that cannot be read, written or deleted; a name that is found afterwards.
    pub fn erase(
        &mut self,
        limits: &Limits,
        mut name: impl FnMut() -> String,
        now_ms: i64,
    ) -> Result<Erased> {
        let columns = self.which.columns();
        let properties = || dictionaries(&columns);
        Erasing {
            table: &mut self.table,
            schema: schema(&columns),
            properties: &properties,
            limits,
            rows: match self.which {
                FactTable::Members => ErasedRows::Facts,
                FactTable::Decisions => ErasedRows::Decisions,
            },
        }
        .erase(&mut name, now_ms)
    }
}

fn transactions(then: &Standing, now_ms: i64) -> Result<Vec<Transaction>> {
    let numbers = then.stream.iter().map(|(stream, taken)| (stream_application(stream), taken.sequence));
    let covered =
        then.covered.iter().map(|(partition, covered)| (partition_application(*partition), covered.0));
    let version = |reached: u64| {
        i64::try_from(reached)
            .map_err(|_| FactsError::Refused(format!("{reached} is beyond what a Delta table can hold")))
    };
    let mut all = Vec::new();
    for (app_id, reached) in numbers.chain(covered) {
        all.push(Transaction { app_id, version: version(reached)?, last_updated: Some(now_ms) });
    }
    if let Some((stream, taken)) = &then.stream {
        all.extend(marks::note(&stream_application(stream), version(taken.sequence)?, taken.mark, now_ms));
    }
    for (partition, (position, mark)) in &then.marks {
        all.extend(marks::note(&partition_application(*partition), version(position.0)?, *mark, now_ms));
    }
    Ok(all)
}

fn stream_application(stream: &str) -> String {
    format!("nearline-facts-stream-{stream}")
}

fn partition_application(partition: PartitionId) -> String {
    format!("nearline-facts-p{:05}", partition.0)
}

/// Columns of few values have a dictionary.
fn dictionaries(columns: &[Column]) -> WriterProperties {
    let dictionary = |builder: WriterPropertiesBuilder, column: &Column| match column {
        Column(name, DataType::List(_), _, true) => builder.set_column_dictionary_enabled(
            ColumnPath::from(vec![(*name).to_owned(), "list".to_owned(), "element".to_owned()]),
            true,
        ),
        Column(name, _, _, is_few) => builder.set_column_dictionary_enabled(ColumnPath::from(*name), *is_few),
    };
    columns.iter().fold(properties(None), dictionary).build()
}

fn metadata(which: FactTable, log: &str, partitions: u16, id: &str, now_ms: i64) -> Metadata {
    let schema = serde_json::json!({ "type": "struct", "fields": fields(which) });
    Metadata {
        id: id.to_owned(),
        schema_string: schema.to_string(),
        configuration: BTreeMap::from([
            (PARTITIONS.to_owned(), partitions.to_string()),
            (LOG.to_owned(), log.to_owned()),
            (TABLE.to_owned(), which.name().to_owned()),
        ]),
        created_time: Some(now_ms),
        ..Metadata::default()
    }
}

/// Columns as the protocol's fields.
fn fields(which: FactTable) -> Vec<serde_json::Value> {
    let field = |Column(name, kind, nullable, _)| serde_json::json!({ "name": name, "type": delta_type(&kind), "nullable": nullable, "metadata": {} });
    which.columns().into_iter().map(field).collect()
}

/// The protocol's name of a type.
fn delta_type(kind: &DataType) -> serde_json::Value {
    match kind {
        DataType::Utf8 => "string".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "long".into(),
        DataType::Float64 => "double".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Binary => "binary".into(),
        DataType::List(element) => serde_json::json!({
            "type": "array", "elementType": delta_type(element.data_type()), "containsNull": element.is_nullable(),
        }),
        _ => "timestamp".into(),
    }
}
