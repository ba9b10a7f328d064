//! Small tables of facts and labels, and what a join makes of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
};
use nearline_facts::{Extraction, MEMORY, Report, Rules};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

/// Microseconds of a minute: the cases count in minutes.
pub const MINUTE: i64 = 60_000_000;

/// A fact: whom it is about, two minutes, its position, its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub member: String,
    pub event_at: i64,
    pub known_at: i64,
    pub position: u64,
    pub value: Option<String>,
}

pub fn fact(member: &str, event_at: i64, known_at: i64, position: u64, value: Option<&str>) -> Fact {
    Fact { member: member.into(), event_at, known_at, position, value: value.map(str::to_owned) }
}

pub fn minutes(values: impl Iterator<Item = i64>) -> ArrayRef {
    let values: Vec<i64> = values.map(|minute| minute * MINUTE).collect();
    Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
}

pub fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// Writes columns as a file, with row groups of so many rows.
pub fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, rows: usize) -> PathBuf {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(rows)).build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_owned()
}

pub fn write_facts(path: &Path, facts: &[Fact], rows: usize) -> PathBuf {
    let columns = vec![
        ("member", texts(facts.iter().map(|fact| Some(fact.member.as_str())))),
        ("event_at", minutes(facts.iter().map(|fact| fact.event_at))),
        ("known_at", minutes(facts.iter().map(|fact| fact.known_at))),
        (
            "position",
            Arc::new(facts.iter().map(|fact| Some(fact.position)).collect::<UInt64Array>()) as ArrayRef,
        ),
        ("value", texts(facts.iter().map(|fact| fact.value.as_deref()))),
    ];
    write(path, columns, rows)
}

/// Labels: whom they ask about, and the minute.
pub fn write_labels(path: &Path, labels: &[(&str, i64)]) -> PathBuf {
    let columns = vec![
        ("label_id", Arc::new((0..labels.len() as i64).collect::<Int64Array>()) as ArrayRef),
        ("member", texts(labels.iter().map(|(member, _)| Some(*member)))),
        ("event_at", minutes(labels.iter().map(|(_, at)| *at))),
    ];
    write(path, columns, 1 << 20)
}

pub fn job(folder: &Path, rules: Rules) -> Extraction {
    Extraction {
        labels: vec![folder.join("labels.parquet")],
        facts: vec![folder.join("facts")],
        rules,
        output: Some(folder.join("out.parquet")),
        threads: 2,
        memory: MEMORY,
    }
}

/// Joins, and reads the result.
pub fn run(job: &Extraction) -> (Report, RecordBatch) {
    let report = job.run().unwrap_or_else(|error| panic!("{error}"));
    (report, read(job.output.as_deref().unwrap()))
}

pub fn read(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    arrow_select::concat::concat_batches(&schema, &batches).unwrap()
}

pub fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let array = batch.column_by_name(column).unwrap_or_else(|| panic!("there is no column {column}"));
    let array = array.as_string::<i32>();
    array.is_valid(row).then(|| array.value(row))
}

pub fn position(batch: &RecordBatch, row: usize) -> Option<u64> {
    let array = batch["fact_position"].as_primitive::<UInt64Type>();
    array.is_valid(row).then(|| array.value(row))
}

pub fn integer(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = batch[column].as_primitive::<Int64Type>();
    array.is_valid(row).then(|| array.value(row))
}

pub fn minute(batch: &RecordBatch, column: &str, row: usize) -> Option<i64> {
    let array = batch[column].as_primitive::<TimestampMicrosecondType>();
    array.is_valid(row).then(|| array.value(row) / MINUTE)
}

/// The value of each row in the words of the cases: the value, or the status in its place.
pub fn answers(batch: &RecordBatch) -> Vec<String> {
    let answer = |row| match text(batch, "status", row).unwrap() {
        "ok" => text(batch, "value", row).unwrap().to_owned(),
        status => status.to_owned(),
    };
    (0..batch.num_rows()).map(answer).collect()
}
