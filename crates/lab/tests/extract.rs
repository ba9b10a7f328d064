//! `nearline-lab extract` and `compact` as a user runs them.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use parquet::arrow::ArrowWriter;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn seconds(values: &[i64]) -> ArrayRef {
    let micros: Vec<i64> = values.iter().map(|value| value * 1_000_000).collect();
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("facts")).unwrap();
    write(
        &folder.path().join("facts/day=1.parquet"),
        vec![
            ("member", Arc::new(StringArray::from(vec!["a", "b", "a"])) as ArrayRef),
            ("event_at", seconds(&[10, 20, 15])),
            ("known_at", seconds(&[10, 20, 40])),
            ("position", Arc::new(UInt64Array::from(vec![1, 2, 3]))),
            ("plays", Arc::new(Int32Array::from(vec![Some(7), None, Some(9)]))),
        ],
    );
    write(
        &folder.path().join("labels.parquet"),
        vec![
            ("member", Arc::new(StringArray::from(vec!["a", "a", "b", "c"])) as ArrayRef),
            ("event_at", seconds(&[30, 50, 500, 5])),
        ],
    );
    write(
        &folder.path().join("members.parquet"),
        vec![("member", Arc::new(StringArray::from(vec!["a"])) as ArrayRef)],
    );
    folder
}

fn lab(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nearline-lab")).current_dir(folder).args(args).output().unwrap()
}

fn json(folder: &Path, args: &[&str]) -> serde_json::Value {
    let output = lab(folder, &[args, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(&text).unwrap()
}

const JOIN: [&str; 7] = ["extract", "--labels", "labels.parquet", "--facts", "facts", "-o", "out.parquet"];

#[test]
fn labels_are_joined_and_the_json_says_how_many_were_answered_how_and_what_it_cost() {
    let folder = folder();
    let report = json(folder.path(), &JOIN);
    for (key, value) in [("rows", 4), ("ok", 2), ("none", 1), ("expired", 0), ("null", 1)] {
        assert_eq!(report[key], value, "{key} of {report}");
    }
    for key in ["wall_s", "cpu_s", "peak_mib"] {
        assert!(report[key].as_f64().unwrap() > 0.0, "{key} of {report}");
    }
    assert_eq!(report["plan"], "sweep");
    assert!(folder.path().join("out.parquet").exists());
    let strict = json(
        folder.path(),
        &[&JOIN[..], &["--ttl", "30s", "--order", "as-served", "--columns", "plays"]].concat(),
    );
    assert_eq!((&strict["ok"], &strict["expired"], &strict["none"]), (&1.into(), &2.into(), &1.into()));
}

#[test]
fn facts_are_compacted_and_those_of_few_members_found_by_the_index() {
    let folder = folder();
    let compacted = json(folder.path(), &["compact", "--facts", "facts", "-o", "by-member"]);
    assert_eq!((&compacted["rows"], &compacted["files"]), (&3.into(), &1.into()));
    let found = json(
        folder.path(),
        &["extract", "--members", "members.parquet", "--facts", "by-member", "-o", "found.parquet"],
    );
    assert_eq!((&found["rows"], &found["plan"]), (&2.into(), &"index".into()));
    let then = json(folder.path(), &["extract", "--as-of", "1970-01-01T00:00:30Z", "--facts", "facts"]);
    assert_eq!(then["rows"], 2);
    let changes = ["extract", "--changes", "1970-01-01T00:00:15Z..1970-01-01T00:00:41Z", "--facts", "facts"];
    assert_eq!(json(folder.path(), &changes)["rows"], 2);
}

#[test]
fn the_plan_and_the_sql_are_printed_and_nothing_is_written() {
    let folder = folder();
    let explained = lab(folder.path(), &[&JOIN[..], &["--explain"]].concat());
    let text = String::from_utf8(explained.stdout).unwrap();
    assert!(explained.status.success() && text.starts_with("plan: sweep"), "{text}");
    let sql = lab(folder.path(), &[&JOIN[..5], &["--emit-sql", "duckdb"]].concat());
    assert!(String::from_utf8(sql.stdout).unwrap().contains("ORDER BY l.nearline_row"));
    assert!(!folder.path().join("out.parquet").exists());
}

#[test]
fn wrong_arguments_say_what_is_wrong() {
    let folder = folder();
    for (args, words) in [
        (vec!["--features", "nothing.toml"], "nothing.toml cannot be read"),
        (vec!["--columns", "plays,plays"], "`plays` twice"),
        (vec!["--columns", "age"], "`age` is not there"),
        (vec!["--delay", "soon"], "no duration"),
        (vec!["--order", "newest"], "event-time and as-served"),
    ] {
        let output = lab(folder.path(), &[&JOIN[..], &args].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(words), "{args:?}: {error}");
        assert!(!folder.path().join("out.parquet").exists());
    }
}
