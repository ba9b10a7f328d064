//! Events as rows, and rows as records of the log again.

use nearline_model::Position;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use nearline_model::event::Event;
use nearline_model::{LogRecord, PartitionId};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::location::Location;

/// The form of an event's payload.
const SCHEMA_VERSION: i32 = 1;

/// The columns: name, type, the protocol's name of the type, whether it may be null.
fn columns() -> [(&'static str, DataType, &'static str, bool); 10] {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    [
        (MEMBER, DataType::Utf8, "string", true),
        (EVENT_AT, time.clone(), "timestamp", true),
        (KNOWN_AT, time, "timestamp", false),
        ("partition", DataType::Int32, "integer", false),
        (POSITION, DataType::Int64, "long", false),
        ("ordinal", DataType::Int32, "integer", false),
        ("kind", DataType::Utf8, "string", true),
        ("schema_version", DataType::Int32, "integer", false),
        ("title", DataType::Utf8, "string", true),
        ("payload", DataType::Binary, "binary", false),
    ]
}

pub(super) fn schema() -> SchemaRef {
    let fields = columns().map(|(name, kind, _, nullable)| Field::new(name, kind, nullable));
    Arc::new(Schema::new(fields.to_vec()))
}

/// The schema as the protocol wants it.
pub(super) fn delta_schema() -> String {
    let fields = columns().map(|(name, _, kind, nullable)| {
        serde_json::json!({ "name": name, "type": kind, "nullable": nullable, "metadata": {} })
    });
    serde_json::json!({ "type": "struct", "fields": fields.to_vec() }).to_string()
}

/// Records as rows. What is no event has neither member nor kind; its payload is kept as it came.
pub(super) fn batch(partition: PartitionId, records: &[LogRecord]) -> Result<RecordBatch> {
    // An event that is too large for the fold is an event all the same.
    let events: Vec<Option<Event<'_>>> =
        records.iter().map(|record| Event::parse(&record.payload, usize::MAX).ok()).collect();
    let known: Vec<i64> = records.iter().map(|record| record.log_ms.saturating_mul(1_000)).collect();
    // A publisher's clock that is ahead: what happened cannot have happened after it was known.
    let at = events
        .iter()
        .zip(&known)
        .map(|(event, known)| Some(event.as_ref()?.at_ms.saturating_mul(1_000).min(*known)));
    let times = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
    };
    let text = |of: &dyn Fn(&Event<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(events.iter().map(|event| of(event.as_ref()?)).collect::<StringArray>())
    };
    let number = i32::from(partition.0);
    let rows = records.len();
    let positions: Vec<i64> = records.iter().map(|record| record.position.0 as i64).collect();
    let columns: Vec<ArrayRef> = vec![
        text(&|event| Some(event.member.clone().into_owned())),
        times(at.collect()),
        times(known.iter().copied().map(Some).collect()),
        Arc::new(Int32Array::from(vec![number; rows])),
        Arc::new(Int64Array::from(positions)),
        Arc::new(Int32Array::from(vec![0; rows])),
        text(&|event| Some(event.kind.name().to_owned())),
        Arc::new(Int32Array::from(vec![SCHEMA_VERSION; rows])),
        text(&|event| Some(event.title.clone().into_owned()).filter(|title| !title.is_empty())),
        Arc::new(BinaryArray::from_iter_values(records.iter().map(|record| &record.payload))),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|error| FactsError::Refused(error.to_string()))
}

/// The events of a partition, read file by file.
pub struct Events {
    location: Location,
    files: std::vec::IntoIter<String>,
    open: Option<(PathBuf, ParquetRecordBatchReader)>,
}

impl Events {
    pub(super) fn of(location: Location, files: Vec<String>) -> Self {
        Self { location, files: files.into_iter(), open: None }
    }

    fn next_batch(&mut self) -> Result<Option<Vec<LogRecord>>> {
        loop {
            if let Some((path, reader)) = &mut self.open {
                if let Some(batch) = reader.next() {
                    return records(path, &batch.map_err(FactsError::parquet(path))?).map(Some);
                }
                self.open = None;
            }
            let Some(name) = self.files.next() else { return Ok(None) };
            let path = self.location.file(&name)?;
            let file = std::fs::File::open(&path).map_err(FactsError::reading(&path))?;
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(file).map_err(FactsError::parquet(&path))?;
            let reader = builder.with_batch_size(4_096).build().map_err(FactsError::parquet(&path))?;
            self.open = Some((path, reader));
        }
    }
}

impl Iterator for Events {
    type Item = Result<Vec<LogRecord>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

fn records(path: &std::path::Path, batch: &RecordBatch) -> Result<Vec<LogRecord>> {
    let column =
        |name: &str| batch.column_by_name(name).ok_or_else(|| FactsError::column(path, name, "is not there"));
    let wrong = |name: &str| FactsError::column(path, name, "is not of the type that archives have");
    let positions = column(POSITION)?.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(POSITION))?;
    let known =
        column(KNOWN_AT)?.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| wrong(KNOWN_AT))?;
    let payloads = column("payload")?.as_binary_opt::<i32>().ok_or_else(|| wrong("payload"))?;
    let record = |row: usize| LogRecord {
        position: Position(positions.value(row).unsigned_abs()),
        log_ms: known.value(row).div_euclid(1_000),
        payload: Bytes::copy_from_slice(payloads.value(row)),
    };
    Ok((0..batch.num_rows()).map(record).collect())
}
