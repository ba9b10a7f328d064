//! Columns keep their types, whichever way they go.

use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float32Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, Date64Array, DictionaryArray, DurationMillisecondArray,
    FixedSizeListArray, Int8Array, Int16Array, Int32Array, Int64Array, LargeBinaryArray, LargeListArray,
    TimestampMicrosecondArray, TimestampSecondArray, UInt16Array, UInt64Array,
};
use arrow_schema::{DataType, TimeUnit};
use nearline_facts::{Compaction, Rules};

use super::tables::{answers, job, minutes, position, read, run, texts, write, write_labels};

const DAY: i64 = 86_400_000;

/// Two facts of `a`, at minutes 1 and 2, with a column of each type that Parquet alone does not tell apart.
fn facts() -> Vec<(&'static str, ArrayRef)> {
    let berlin =
        TimestampMicrosecondArray::from(vec![60_000_000, 120_000_000]).with_timezone("Europe/Berlin");
    let lists = vec![Some(vec![Some(1.0), Some(2.0)]), Some(vec![Some(3.0), Some(4.0)])];
    let large = vec![Some(vec![Some(1)]), Some(vec![Some(2), None])];
    let codes = Int32Array::from(vec![1, 0]);
    let coded = DictionaryArray::<Int32Type>::new(codes, Arc::new(Int64Array::from(vec![50, 60])));
    vec![
        ("member", texts(["a", "a"].map(Some).into_iter())),
        ("event_at", Arc::new(berlin) as ArrayRef),
        ("known_at", minutes([1, 2].into_iter())),
        ("position", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("day", Arc::new(Date64Array::from(vec![DAY, 2 * DAY]))),
        ("took", Arc::new(DurationMillisecondArray::from(vec![5, 6]))),
        ("seconds", Arc::new(TimestampSecondArray::from(vec![7, 8]).with_timezone("UTC"))),
        ("pair", Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(lists, 2))),
        ("many", Arc::new(LargeListArray::from_iter_primitive::<Int64Type, _, _>(large))),
        ("bytes", Arc::new(LargeBinaryArray::from_iter_values([b"x", b"y"]))),
        ("view", Arc::new(BinaryViewArray::from_iter_values([b"x", b"y"]))),
        ("coded", Arc::new(coded)),
        ("text", texts(["x", "y"].map(Some).into_iter())),
    ]
}

/// The types of all columns but those that every table of facts has; dictionaries are gone, and dates are days.
fn features() -> Vec<(&'static str, DataType)> {
    let types = facts().into_iter().skip(4).map(|(name, array)| match array.data_type() {
        DataType::Dictionary(_, values) => (name, values.as_ref().clone()),
        DataType::Date64 => (name, DataType::Date32),
        other => (name, other.clone()),
    });
    types.collect()
}

fn type_of(path: &Path, column: &str) -> DataType {
    read(path).schema().field_with_name(column).unwrap().data_type().clone()
}

#[test]
fn features_keep_their_types_and_values() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("facts/a.parquet"), facts(), 1);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 1), ("a", 5), ("b", 5)]);
    let (report, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!((report.counts.ok, report.counts.none), (2, 1));
    for (name, data_type) in features() {
        assert_eq!(*result[name].data_type(), data_type, "{name}");
        assert_eq!(result[name].null_count(), 1, "{name}");
    }
    assert_eq!(result["day"].as_primitive::<Date32Type>().values()[..2], [1, 2]);
    assert_eq!(result["coded"].as_primitive::<Int64Type>().values()[..2], [60, 50]);
}

#[test]
fn compacted_facts_keep_their_types_and_zones() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("facts/a.parquet"), facts(), 1);
    let output = folder.path().join("compact");
    let job = Compaction {
        facts: vec![folder.path().join("facts")],
        output: output.clone(),
        page_rows: 64,
        threads: 1,
    };
    assert_eq!(job.run().unwrap().rows, 2);
    let file = output.join("bucket-0000.parquet");
    for (name, data_type) in features() {
        assert_eq!(type_of(&file, name), data_type, "{name}");
    }
    let berlin = DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Berlin".into()));
    assert_eq!(type_of(&file, "event_at"), berlin);
}

#[test]
fn files_that_say_times_in_different_zones_are_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let zoned = |zone: &str, micros: i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone(zone.to_owned()))
    };
    for (number, zone) in ["UTC", "Europe/Berlin"].into_iter().enumerate() {
        let at = 60_000_000 * (number as i64 + 1);
        let columns = |value: &'static str| {
            vec![
                ("member", texts([Some("a")].into_iter())),
                ("event_at", zoned(zone, at)),
                ("known_at", zoned(zone, at)),
                ("position", Arc::new(UInt64Array::from(vec![number as u64])) as ArrayRef),
                ("since", zoned(zone, at)),
                ("value", texts([Some(value)].into_iter())),
            ]
        };
        write(&folder.path().join(format!("facts/{number}.parquet")), columns(["x", "y"][number]), 10);
        let labels = vec![("member", texts([Some("a")].into_iter())), ("event_at", zoned(zone, at))];
        write(&folder.path().join(format!("labels/{number}.parquet")), labels, 10);
    }
    let mut job = job(folder.path(), Rules::default());
    job.labels = vec![folder.path().join("labels")];
    let (_, result) = run(&job);
    let since = result["since"].as_primitive::<TimestampMicrosecondType>().values().to_vec();
    assert_eq!(since, [60_000_000, 120_000_000]);
    let output = folder.path().join("compact");
    let job = Compaction { facts: job.facts, output, page_rows: 64, threads: 1 };
    assert_eq!(job.run().unwrap().rows, 2);
}

#[test]
fn members_and_positions_may_be_small_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let facts = vec![
        ("member", Arc::new(Int8Array::from(vec![-1, 2])) as ArrayRef),
        ("event_at", minutes([1, 1].into_iter())),
        ("known_at", minutes([1, 1].into_iter())),
        ("position", Arc::new(UInt16Array::from(vec![1, 60_000]))),
        ("value", texts(["x", "y"].map(Some).into_iter())),
    ];
    write(&folder.path().join("facts/a.parquet"), facts, 10);
    let members: ArrayRef = Arc::new(Int16Array::from(vec![2, -1, 3]));
    let labels = vec![("member", members), ("event_at", minutes([5, 5, 5].into_iter()))];
    write(&folder.path().join("labels.parquet"), labels, 10);
    let (_, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!(answers(&result), ["y", "x", "none"]);
    assert_eq!(position(&result, 0), Some(60_000));
}
