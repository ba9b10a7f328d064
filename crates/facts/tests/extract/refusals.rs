//! Files that cannot be joined rightly are refused, in words that say what to do.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use nearline_facts::{Feature, Rules};

use super::tables::{answers, fact, job, minutes, run, texts, write, write_facts, write_labels};

type Columns = Vec<(&'static str, ArrayRef)>;

fn facts() -> Columns {
    vec![
        ("member", texts(["a", "b"].map(Some).into_iter())),
        ("event_at", minutes([1, 2].into_iter())),
        ("known_at", minutes([1, 2].into_iter())),
        ("position", Arc::new(UInt64Array::from(vec![1, 2]))),
        ("value", texts(["x", "y"].map(Some).into_iter())),
    ]
}

fn labels() -> Columns {
    vec![("member", texts(["a", "b"].map(Some).into_iter())), ("event_at", minutes([5, 5].into_iter()))]
}

/// What the join of these columns says.
fn refusal(facts: Columns, labels: Columns, rules: Rules) -> String {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("facts/a.parquet"), facts, 10);
    write(&folder.path().join("labels.parquet"), labels, 10);
    let job = job(folder.path(), rules);
    let error = job.run().expect_err("it was to be refused").to_string();
    assert!(!job.output.unwrap().exists(), "nothing is written");
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    error
}

fn with(columns: Columns, name: &str, array: ArrayRef) -> Columns {
    columns
        .into_iter()
        .map(|(known, old)| (known, if known == name { Arc::clone(&array) } else { old }))
        .collect()
}

fn without(columns: Columns, name: &str) -> Columns {
    columns.into_iter().filter(|(known, _)| *known != name).collect()
}

#[track_caller]
fn says(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

#[test]
fn times_without_an_offset_are_refused_and_the_error_says_what_to_write() {
    let naive: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1, 2]));
    for column in ["event_at", "known_at"] {
        let error = refusal(with(facts(), column, Arc::clone(&naive)), labels(), Rules::default());
        says(&error, &["a.parquet", column, "without an offset", "time zone (UTC)"]);
    }
    let error = refusal(facts(), with(labels(), "event_at", naive), Rules::default());
    says(&error, &["labels.parquet", "event_at", "without an offset"]);
}

#[test]
fn missing_columns_are_named_with_those_there_are() {
    for column in ["member", "event_at", "known_at", "position"] {
        let error = refusal(without(facts(), column), labels(), Rules::default());
        says(&error, &["a.parquet", column, "is not there", "value"]);
    }
    let rules = Rules { features: vec![Feature::plain("plays")], ..Rules::default() };
    says(&refusal(facts(), labels(), rules), &["plays", "is not there", "value"]);
    says(&refusal(without(facts(), "value"), labels(), Rules::default()), &["nothing to join"]);
}

#[test]
fn wrong_types_are_refused_with_the_type_that_is_wanted() {
    let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0]));
    says(
        &refusal(with(facts(), "member", Arc::clone(&numbers)), labels(), Rules::default()),
        &["text or integers"],
    );
    says(
        &refusal(with(facts(), "known_at", Arc::clone(&numbers)), labels(), Rules::default()),
        &["must be a timestamp"],
    );
    says(&refusal(with(facts(), "position", numbers), labels(), Rules::default()), &["no integer"]);
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    says(&refusal(facts(), with(labels(), "member", ids), Rules::default()), &["member", "one type"]);
    let negative: ArrayRef = Arc::new(Int64Array::from(vec![1, -2]));
    says(&refusal(with(facts(), "position", negative), labels(), Rules::default()), &["-2", "no position"]);
}

#[test]
fn facts_that_do_not_say_when_they_became_known_are_refused() {
    let missing = TimestampMicrosecondArray::from(vec![Some(1), None]).with_timezone("UTC");
    let error = refusal(with(facts(), "known_at", Arc::new(missing)), labels(), Rules::default());
    says(&error, &["known_at", "null in 1", "leave them out"]);
}

#[test]
fn a_name_that_the_result_would_have_twice_is_refused() {
    let mut labels = labels();
    labels.push(("value", texts(["x", "y"].map(Some).into_iter())));
    says(&refusal(facts(), labels, Rules::default()), &["`value`", "rename"]);
    let twice =
        Rules { features: vec![Feature::plain("value"), Feature::plain("value")], ..Rules::default() };
    says(&refusal(facts(), self::labels(), twice), &["`value` twice"]);
}

#[test]
fn labels_and_facts_without_a_member_are_counted_and_lose_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let members: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    write(&folder.path().join("facts/a.parquet"), with(facts(), "member", Arc::clone(&members)), 10);
    write(&folder.path().join("labels.parquet"), with(labels(), "member", members), 10);
    let (report, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!(answers(&result), ["x", "none"]);
    assert_eq!((report.rows, report.labels_without_member, report.facts_without_member), (2, 1, 1));
    assert!(report.notes.iter().any(|note| note.contains("1 labels name no member")), "{:?}", report.notes);
}

#[test]
fn labels_without_a_time_are_counted_and_lose_no_row() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("facts/a.parquet"), facts(), 10);
    let times = TimestampMicrosecondArray::from(vec![None, Some(i64::MAX)]).with_timezone("UTC");
    write(&folder.path().join("labels.parquet"), with(labels(), "event_at", Arc::new(times)), 10);
    let (report, result) = run(&job(folder.path(), Rules::default()));
    assert_eq!(answers(&result), ["none", "y"]);
    assert_eq!(report.labels_without_time, 1);
}

#[test]
fn paths_that_hold_no_table_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_facts(&folder.path().join("facts/a.parquet"), &[fact("a", 1, 1, 1, Some("v"))], 10);
    write_labels(&folder.path().join("labels.parquet"), &[("a", 2)]);
    let mut job = job(folder.path(), Rules::default());
    let said = |job: &nearline_facts::Extraction| job.run().expect_err("it was to be refused").to_string();
    job.facts = vec![folder.path().join("nothing-*.parquet")];
    says(&said(&job), &["nothing-*", "no Parquet file"]);
    job.facts = vec![folder.path().join("facts/*.parquet")];
    assert_eq!(job.run().unwrap().counts.ok, 1, "a pattern is a table, too");
    std::fs::write(folder.path().join("facts/b.parquet"), "no Parquet").unwrap();
    job.facts = vec![folder.path().join("facts")];
    says(&said(&job), &["b.parquet", "cannot be read as Parquet"]);
}

#[test]
fn a_result_in_the_place_of_what_is_read_is_refused_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let facts = write_facts(&folder.path().join("facts/a.parquet"), &[fact("a", 1, 1, 1, Some("v"))], 10);
    let labels = write_labels(&folder.path().join("labels.parquet"), &[("a", 2)]);
    let before = [&facts, &labels].map(|path| std::fs::read(path).unwrap());
    let mut job = job(folder.path(), Rules::default());
    for output in [&facts, &labels] {
        job.output = Some(output.clone());
        let error = job.run().expect_err("it was to be refused").to_string();
        says(&error, &["is one of the files that are read", "name another file"]);
    }
    assert_eq!([&facts, &labels].map(|path| std::fs::read(path).unwrap()), before);
}
