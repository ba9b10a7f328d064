//! Delays and limits by feature, positions of decisions, memory, and what the result says of itself.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, UInt64Array};
use nearline_facts::{Extraction, Order, Rules};
use nearline_model::identifier::Blocks;
use nearline_model::{LogRecord, PartitionId, Position};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::tables::{
    answers, fact, integer, job, minute, minutes, position, run, text, texts, write, write_facts,
    write_labels,
};

#[test]
fn each_feature_is_seen_under_its_own_delay_and_limit_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_facts(
        &folder.path().join("facts/a.parquet"),
        &[fact("a", 10, 10, 1, Some("old")), fact("a", 100, 100, 2, Some("new"))],
        10,
    );
    write_labels(&folder.path().join("labels.parquet"), &[("a", 103), ("a", 300), ("x", 5)]);
    let rules = Rules::from_toml(
        "[[feature]]\nname = 'value'\n\
         [[feature]]\nname = 'slow'\ncolumn = 'value'\ndelay = '5m'\n\
         [[feature]]\nname = 'fresh'\ncolumn = 'value'\nttl = '60m'\n",
    )
    .unwrap();
    let (report, result) = run(&job(folder.path(), rules));
    let row = |row| {
        ["value", "slow", "slow_status", "fresh", "fresh_status"].map(|column| text(&result, column, row))
    };
    assert_eq!(row(0), [Some("new"), Some("old"), Some("ok"), Some("new"), Some("ok")]);
    assert_eq!(row(1), [Some("new"), Some("new"), Some("ok"), None, Some("expired")]);
    assert_eq!(row(2), [None, None, Some("none"), None, Some("none")]);
    assert_eq!((report.counts.ok, report.counts.none), (2, 1));
}

#[test]
fn a_label_that_carries_a_position_is_joined_by_it_and_not_by_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let facts: Vec<_> = (1..=6)
        .map(|n| fact("a", n, n, n as u64 * 10, Some(["1", "2", "3", "4", "5", "6"][n as usize - 1])))
        .collect();
    write_facts(&folder.path().join("facts/a.parquet"), &facts, 2);
    let positions = UInt64Array::from(vec![Some(30), None, Some(39), Some(9), Some(70)]);
    let columns = vec![
        ("member", texts(["a"; 5].map(Some).into_iter())),
        ("event_at", minutes([6, 2, 1, 6, 1].into_iter())),
        ("decision_position", Arc::new(positions) as ArrayRef),
    ];
    write(&folder.path().join("labels.parquet"), columns, 3);
    let (_, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!(answers(&result), ["3", "2", "3", "none", "6"]);
}

#[test]
fn the_result_says_which_fact_answered_and_how_old_it_was() {
    let folder = tempfile::tempdir().unwrap();
    write_facts(&folder.path().join("facts/a.parquet"), &[fact("a", 10, 12, 7, Some("v"))], 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 20), ("b", 20)]);
    let (_, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!(minute(&result, "fact_event_at", 0), Some(10));
    assert_eq!(minute(&result, "fact_known_at", 0), Some(12));
    assert_eq!((position(&result, 0), position(&result, 1)), (Some(7), None));
    assert_eq!(integer(&result, "fact_age", 0), Some(10 * super::tables::MINUTE));
    assert_eq!((integer(&result, "label_id", 1), text(&result, "status", 1)), (Some(1), Some("none")));
}

#[test]
fn little_memory_means_more_sweeps_and_neither_they_nor_threads_change_a_byte() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..5_000).map(|n| format!("member-{}", n % 700)).collect();
    let facts: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(n, name)| fact(name, n as i64 / 10 - (n as i64 % 7), n as i64 / 10, n as u64, Some(name)))
        .collect();
    write_facts(&folder.path().join("facts/a.parquet"), &facts, 600);
    let labels: Vec<(&str, i64)> =
        names.iter().enumerate().map(|(n, name)| (name.as_str(), n as i64 * 7 % 500)).collect();
    write_labels(&folder.path().join("labels.parquet"), &labels);
    let whole = job(folder.path(), Rules::default());
    let little = Extraction {
        memory: 1,
        threads: 1,
        output: Some(folder.path().join("little.parquet")),
        ..whole.clone()
    };
    let (once, _) = run(&whole);
    let (often, _) = run(&little);
    assert_eq!((once.sweeps, often.sweeps), (1, 5));
    let bytes = |job: &Extraction| std::fs::read(job.output.as_deref().unwrap()).unwrap();
    assert!(bytes(&whole) == bytes(&little), "the same snapshot was to give the same bytes");
    assert_eq!(once.counts, often.counts);
    assert_eq!(once.digest, often.digest);
    let file =
        SerializedFileReader::new(std::fs::File::open(folder.path().join("out.parquet")).unwrap()).unwrap();
    let metadata = file.metadata().file_metadata().key_value_metadata().unwrap();
    let lineage = metadata.iter().find(|pair| pair.key == "nearline.extract").unwrap().value.clone().unwrap();
    assert!(lineage.contains(&once.lineage.facts.digest) && lineage.contains("event-time"), "{lineage}");
}

#[test]
fn a_feature_that_was_added_later_is_null_in_older_files_and_the_report_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write_facts(&folder.path().join("facts/1.parquet"), &[fact("a", 1, 1, 1, Some("v"))], 10);
    let columns = vec![
        ("member", texts([Some("b")].into_iter())),
        ("event_at", minutes([1].into_iter())),
        ("known_at", minutes([1].into_iter())),
        ("position", Arc::new(Int64Array::from(vec![2])) as ArrayRef),
        ("plays", Arc::new(Int32Array::from(vec![5])) as ArrayRef),
    ];
    // Positions are of another integer type in the newer file: that is refused before anything is joined.
    write(&folder.path().join("facts/2.parquet"), columns.clone(), 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 2), ("b", 2)]);
    let error = job(folder.path(), Rules::default()).run().unwrap_err().to_string();
    assert!(error.contains("`position`") && error.contains("one type"), "{error}");
    let mut columns = columns;
    columns[3].1 = Arc::new(UInt64Array::from(vec![2]));
    write(&folder.path().join("facts/2.parquet"), columns, 10);
    let (report, result) = run(&job(folder.path(), Rules::default()));
    assert!(
        report.notes.iter().any(|note| note.contains("`plays` is not in 1 of 2 files")),
        "{:?}",
        report.notes
    );
    assert!(result["plays"].is_null(0) && result["plays"].is_valid(1));
    assert!(result["value"].is_valid(0) && result["value"].is_null(1));
}

#[test]
fn facts_of_the_future_are_seen_from_their_event_on_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let facts = [fact("a", 10, 10, 1, Some("now")), fact("a", 50, 20, 2, Some("planned"))];
    write_facts(&folder.path().join("facts/a.parquet"), &facts, 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 30), ("a", 50)]);
    for order in [Order::EventTime, Order::AsServed] {
        let (report, result) = run(&job(folder.path(), Rules { order, ..Rules::default() }));
        assert_eq!(answers(&result), ["now", "planned"]);
        assert_eq!(report.facts_ahead, 1);
    }
}

#[test]
fn row_groups_that_became_known_after_the_last_label_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let facts: Vec<_> = (0..100).map(|n| fact("a", n, n, n as u64, Some("v"))).collect();
    write_facts(&folder.path().join("facts/a.parquet"), &facts, 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 25)]);
    let rules = Rules { delay: Duration::from_secs(60), ..Rules::default() };
    let (report, result) = run(&job(folder.path(), rules));
    assert_eq!((report.row_groups_read, report.row_groups), (3, 10));
    assert_eq!(position(&result, 0), Some(24));
}

#[test]
fn the_same_join_is_printed_as_sql() {
    let folder = tempfile::tempdir().unwrap();
    write_facts(&folder.path().join("facts/a.parquet"), &[fact("a", 1, 1, 1, Some("v"))], 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 2)]);
    let rules = Rules { ttl: Some(Duration::from_secs(60)), ..Rules::default() };
    let job = job(folder.path(), rules);
    let duckdb = job.sql("duckdb".parse().unwrap()).unwrap();
    assert!(duckdb.contains("\"fact_age\"") && duckdb.contains("to_microseconds(60000000)"), "{duckdb}");
    let spark = job.sql("spark".parse().unwrap()).unwrap();
    assert!(
        spark.contains("`fact_age`")
            && spark.contains("parquet.`")
            && spark.contains("make_dt_interval(0, 0, 0, 60.000000)"),
        "{spark}"
    );
}

#[test]
fn emitted_sql_reads_what_a_delta_log_names() {
    let folder = tempfile::tempdir().unwrap();
    write_labels(&folder.path().join("labels.parquet"), &[("a", 2)]);
    let facts = folder.path().join("facts");
    let log = nearline_facts::ArchivedLog { identity: "a-log", partitions: 1, blocks: Blocks::default() };
    let mut archive = nearline_facts::EventArchive::open(&facts, log, "an-id", 1_000).unwrap();
    for number in 1..=2 {
        let payload = format!(
            r#"{{"id":"{number}","type":"play","member":"a","title":"t","at":"2026-03-01T20:15:00Z"}}"#
        );
        let record =
            LogRecord { position: Position(number), log_ms: 1_772_396_100_000, payload: payload.into() };
        archive.add(PartitionId(0), &[record], &format!("n{number}"), 2_000).unwrap();
    }
    let named: Vec<String> = archive.table().files().map(|file| file.path.clone()).collect();
    std::fs::copy(facts.join(&named[0]), facts.join("left.parquet")).unwrap();
    let job = job(folder.path(), Rules::default());
    let spark = job.sql("spark".parse().unwrap()).unwrap();
    assert!(spark.contains(&format!("parquet.`{}/{{{}}}`", facts.display(), named.join(","))), "{spark}");
    let duckdb = job.sql("duckdb".parse().unwrap()).unwrap();
    assert!(named.iter().all(|name| duckdb.contains(name)) && !duckdb.contains("left.parquet"), "{duckdb}");
}

#[test]
fn a_column_whose_name_has_dots_is_read_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let columns = vec![
        ("member", texts(["a", "a"].map(Some).into_iter())),
        ("event_at", minutes([1, 2].into_iter())),
        ("known_at", minutes([1, 2].into_iter())),
        ("position", Arc::new(UInt64Array::from(vec![1, 2])) as ArrayRef),
        ("plays.30d", Arc::new(Int64Array::from(vec![7, 9])) as ArrayRef),
    ];
    write(&folder.path().join("facts/a.parquet"), columns, 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 1), ("a", 5)]);
    let (_, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!([0, 1].map(|row| integer(&result, "plays.30d", row)), [Some(7), Some(9)]);
}

#[test]
fn sql_reads_no_file_that_is_none_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let facts = [fact("a", 1, 1, 1, Some("v"))];
    let own = write_facts(&folder.path().join("facts/day/a.parquet"), &facts, 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 2)]);
    let job = job(folder.path(), Rules::default());
    let sql = || job.sql("duckdb".parse().unwrap()).unwrap();
    assert!(sql().contains("facts/**/*.parquet'"), "{}", sql());
    write_facts(&folder.path().join("facts/_old/a.parquet"), &facts, 10);
    assert!(!sql().contains("**") && sql().contains(&format!("'{}'", own.display())), "{}", sql());
}
