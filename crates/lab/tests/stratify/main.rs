//! `nearline-lab stratify` on files: the same rows whatever their order, files and threads.

#![allow(clippy::unwrap_used)]

mod refused;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt64Array,
};
use nearline_lab::stratify::{Job, Progress, Report, run};
use nearline_stratify::{Outcome, Rules};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

const RULES: &str = r#"
id = "row_id"
seed = 7
strata = ["country", "label"]
[[rules]]
name = "size"
size = { exactly = 600 }
[[rules]]
name = "countries"
target = { keys = ["country"], shares = { A = 0.5, B = 0.3, C = 0.2 } }
"#;

fn batch(ids: &[u64]) -> RecordBatch {
    let text = |of: &dyn Fn(u64) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(ids.iter().map(|id| of(*id))))
    };
    RecordBatch::try_from_iter([
        ("row_id", Arc::new(UInt64Array::from(ids.to_vec())) as ArrayRef),
        ("country", text(&|id| ["A", "B", "B", "C", "C", "C"][(id % 6) as usize].to_owned())),
        (
            "label",
            Arc::new(Int8Array::from_iter_values(ids.iter().map(|id| i8::from(id % 11 == 0)))) as ArrayRef,
        ),
        ("member", text(&|id| format!("m{}", id % 701))),
        (
            "at",
            Arc::new(Int64Array::from_iter_values(ids.iter().map(|id| (*id as i64 * 37) % 10_007)))
                as ArrayRef,
        ),
    ])
    .unwrap()
}

fn write(path: &Path, ids: &[u64], group: usize) -> PathBuf {
    let batch = batch(ids);
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_owned()
}

fn job(rules: &str, inputs: Vec<PathBuf>, output: &Path, threads: usize) -> Job {
    let rules = Rules::from_toml(rules).unwrap();
    Job { rules, inputs, output: Some(output.to_owned()), references: Vec::new(), dialect: None, threads }
}

fn sample(rules: &str, inputs: Vec<PathBuf>, output: &Path, threads: usize) -> anyhow::Result<Report> {
    run(&job(rules, inputs, output, threads), &Progress::new())
}

fn read(path: &Path) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap())
        .unwrap()
        .build()
        .unwrap();
    reader.map(Result::unwrap).collect()
}

fn ids(path: &Path) -> BTreeSet<u64> {
    read(path)
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<UInt64Type>().values().to_vec())
        .collect()
}

fn text(batch: &RecordBatch, name: &str, row: usize) -> String {
    let array = batch.column_by_name(name).unwrap();
    match array.as_dictionary_opt::<arrow_array::types::Int8Type>() {
        Some(dictionary) => dictionary
            .downcast_dict::<StringArray>()
            .unwrap()
            .into_iter()
            .nth(row)
            .unwrap()
            .unwrap()
            .to_owned(),
        None => array.as_string::<i32>().value(row).to_owned(),
    }
}

/// Row numbers in an order that is none.
fn shuffled(count: u64) -> Vec<u64> {
    let mut ids: Vec<u64> = (0..count).collect();
    ids.sort_by_key(|id| nearline_stratify::select::mix(*id));
    ids
}

#[test]
fn i10_rows_in_another_order_other_files_and_threads_give_the_same_sample() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let all: Vec<u64> = (0..20_000).collect();
    let one = write(&at("one.parquet"), &all, 100_000);
    let mixed = shuffled(20_000);
    let parts: Vec<PathBuf> = mixed
        .chunks(7_000)
        .enumerate()
        .map(|(n, part)| write(&at(&format!("p{n}.parquet")), part, 999))
        .collect();
    for entity in
        ["", "\n[[rules]]\nname = \"members\"\nentity = { column = \"member\", at_most = 6, at_least = 3 }\n"]
    {
        let rules = format!("{RULES}{entity}");
        let report = sample(&rules, vec![one.clone()], &at("a.parquet"), 1).unwrap();
        assert_eq!((report.rows_in, report.rows_out), (20_000, 600));
        let wanted = ids(&at("a.parquet"));
        for threads in [1, 3] {
            sample(&rules, parts.clone(), &at("b.parquet"), threads).unwrap();
            assert_eq!(ids(&at("b.parquet")), wanted);
        }
        let mut per_member = std::collections::BTreeMap::new();
        wanted.iter().for_each(|id| *per_member.entry(id % 701).or_insert(0) += 1);
        assert!(entity.is_empty() || per_member.values().all(|rows| *rows <= 6));
    }
}

#[test]
fn the_sample_has_the_shares_and_the_columns_of_the_input() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..20_000).collect::<Vec<_>>(), 3_000);
    let output = dir.path().join("out.parquet");
    let report = sample(RULES, vec![input], &output, 2).unwrap();
    assert!(matches!(report.outcome, Outcome::Exact | Outcome::RoundedWithinOne));
    let mut counts = std::collections::BTreeMap::new();
    for batch in read(&output) {
        assert_eq!(batch.schema().fields().len(), 5);
        (0..batch.num_rows()).for_each(|row| *counts.entry(text(&batch, "country", row)).or_insert(0) += 1);
    }
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [300, 180, 120]);
    let croissant: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("out.croissant.json")).unwrap())
            .unwrap();
    assert_eq!(croissant["recordSet"][0]["field"].as_array().unwrap().len(), 5);
    assert_eq!(croissant["nearline:lineage"]["seed"], 7);
}

#[test]
fn parts_and_weights_are_added_and_no_member_straddles() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &shuffled(20_000), 3_000);
    let output = dir.path().join("out.parquet");
    let rules = format!(
        "{RULES}\n[[rules]]\nname = \"weights\"\nweights = {{ calibrate = [\"country\"] }}\n[[rules]]\nname = \"parts\"\n\
         split = {{ parts = [{{ name = \"train\", share = 0.8 }}, {{ name = \"test\", share = 0.2 }}], entity = \"member\", time = \"at\", embargo = 100 }}\n"
    );
    let report = sample(&rules, vec![input], &output, 2).unwrap();
    assert_eq!(report.rows_out + report.parts.iter().skip(2).map(|part| part.rows).sum::<u64>(), 600);
    let (mut train, mut test, mut sum) = (BTreeSet::new(), BTreeSet::new(), 0.0);
    let cut = report.parts[1].from.unwrap();
    for batch in read(&output) {
        let weights = batch.column_by_name("weight").unwrap().as_primitive::<Float64Type>();
        sum += weights.values().iter().sum::<f64>();
        let at = batch.column_by_name("at").unwrap().as_primitive::<arrow_array::types::Int64Type>();
        for row in 0..batch.num_rows() {
            let is_train = text(&batch, "part", row) == "train";
            assert!(if is_train { at.value(row) < cut - 100 } else { at.value(row) >= cut });
            if is_train { &mut train } else { &mut test }.insert(text(&batch, "member", row));
        }
    }
    assert!(!test.is_empty() && train.is_disjoint(&test));
    assert!(sum > 0.0 && sum <= 20_000.0 + 1e-6);
}

#[test]
fn weights_that_miss_their_totals_are_no_rule_that_holds() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &shuffled(20_000), 3_000);
    let output = dir.path().join("out.parquet");
    let weights = |hard: bool, upper: f64| {
        let countries = "target = { keys = [\"country\"], shares = { A = 0.9, B = 0.05, C = 0.05 } }";
        let rules = RULES
            .replace("target = { keys = [\"country\"], shares = { A = 0.5, B = 0.3, C = 0.2 } }", countries);
        let rules = rules.replace("strata = [\"country\", \"label\"]", "strata = [\"country\"]");
        format!(
            "{rules}[[rules]]\nname = \"weights\"\nhard = {hard}\nweights = {{ calibrate = [\"country\"], lower = 0.99, upper = {upper} }}\n"
        )
    };
    let outcome = |rules: &str| sample(rules, vec![input.clone()], &output, 1).unwrap();
    let held = outcome(&weights(true, 3.0));
    assert!(held.outcome != Outcome::Closest, "{}", held.text());
    // Strata that stand for others, of which nothing was to be taken, cannot be made up for.
    let none = |rules: String| rules.replace("A = 0.9, B = 0.05, C = 0.05", "A = 0.95, B = 0.05, C = 0.0");
    let missed = outcome(&none(weights(true, 1.01)));
    assert_eq!(missed.outcome, Outcome::Closest, "{}", missed.text());
    assert_ne!(outcome(&none(weights(false, 1.01))).outcome, Outcome::Closest);
}

#[test]
fn whole_members_and_a_cap_by_flow_hold() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..7_010).collect::<Vec<_>>(), 1_000);
    let output = dir.path().join("out.parquet");
    let rule = |strata: &str, rule: &str| {
        format!(
            "id = \"row_id\"\nstrata = {strata}\n[[rules]]\nname = \"size\"\nsize = {{ exactly = 900 }}\n[[rules]]\nname = \"members\"\nentity = {{ column = \"member\", {rule} }}\n"
        )
    };
    let report = sample(&rule("[]", "whole = true"), vec![input.clone()], &output, 2).unwrap();
    assert_eq!(report.rows_out, 900);
    let mut members = std::collections::BTreeMap::new();
    ids(&output).iter().for_each(|id| *members.entry(id % 701).or_insert(0) += 1);
    assert!(members.values().all(|rows| *rows == 10));
    let report =
        sample(&rule("[\"country\"]", "at_most = 2, method = \"flow\""), vec![input], &output, 2).unwrap();
    assert_eq!((report.rows_out, report.outcome), (900, Outcome::Exact));
    let mut members = std::collections::BTreeMap::new();
    ids(&output).iter().for_each(|id| *members.entry(id % 701).or_insert(0) += 1);
    assert!(members.values().all(|rows| *rows <= 2));
}

#[test]
fn a_key_that_is_an_expression_is_a_stratum_like_any_other() {
    let dir = tempfile::tempdir().unwrap();
    let rows = shuffled(9_000);
    let input = write(&dir.path().join("in.parquet"), &rows, 2_000);
    let output = dir.path().join("out.parquet");
    let rules = r#"
id = "row_id"
strata = ["when", "country"]
[keys.when]
sql = "CASE WHEN at < 5000 THEN 'early' ELSE 'late' END"
[[rules]]
name = "size"
size = { exactly = 800 }
[[rules]]
name = "mostly late"
target = { keys = ["when"], shares = { early = 0.25, late = 0.75 } }
"#;
    let report = sample(rules, vec![input.clone()], &output, 2).unwrap();
    assert_eq!((report.outcome, report.rows_out), (Outcome::Exact, 800));
    let early = ids(&output).iter().filter(|id| (*id * 37) % 10_007 < 5_000).count();
    assert_eq!(early, 200);
    // The counting and the selecting statement hold the expression as it is.
    let mut printing = job(rules, vec![input.clone()], &output, 1);
    printing.dialect = Some(nearline_stratify::sql::Dialect::DuckDb);
    let sql = run(&printing, &Progress::new()).unwrap().sql.unwrap();
    assert_eq!(sql.matches("(CASE WHEN \"at\" < 5000 THEN 'early' ELSE 'late' END)").count(), 2, "{sql}");
    let wrong = rules.replace("at < 5000", "att < 5000");
    let said = format!("{:#}", sample(&wrong, vec![input], &output, 1).unwrap_err());
    assert!(said.contains("the key `when`") && said.contains("there is no column `att`"), "{said}");
}

#[test]
fn totals_are_kept_whatever_the_order_of_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let rules =
        format!("{RULES}\n[[rules]]\nname = \"totals\"\nbalance = {{ columns = [\"at\", \"label\"] }}\n");
    let rows = shuffled(9_000);
    let input = write(&dir.path().join("in.parquet"), &rows, 2_000);
    let output = dir.path().join("out.parquet");
    let report = sample(&rules, vec![input], &output, 2).unwrap();
    assert_eq!((report.outcome, report.rows_out, report.plan.nested), (Outcome::Exact, 600, false));
    let all: f64 = rows.iter().map(|id| ((*id as i64 * 37) % 10_007) as f64).sum();
    let total = &report.balance[0];
    assert!((total.total.data - all).abs() < 1e-3 && total.column == "at");
    let off = |estimate: f64| (estimate - all).abs() / all;
    assert!(off(total.total.estimate) < off(total.total.unbalanced).min(0.01), "{total:?}");
    assert!(report.text().contains("total of at: "), "{}", report.text());
    let taken = ids(&output);
    let mut other: Vec<u64> = rows.clone();
    other.reverse();
    let parts = [
        write(&dir.path().join("a.parquet"), &other[..4_000], 700),
        write(&dir.path().join("b.parquet"), &other[4_000..], 5_000),
    ];
    sample(&rules, parts.to_vec(), &output, 1).unwrap();
    assert_eq!(ids(&output), taken);
    let refused = |rules: &str, dialect| {
        let mut job = job(rules, parts.to_vec(), &output, 1);
        job.dialect = dialect;
        format!("{:#}", run(&job, &Progress::new()).unwrap_err())
    };
    assert!(refused(&rules.replace("\"at\", ", "\"member\", "), None).contains("not of numbers"));
    assert!(refused(&rules.replace("\"at\", ", "\"ate\", "), None).contains("there is no column `ate`"));
    let in_sql = refused(&rules, Some(nearline_stratify::sql::Dialect::Spark));
    assert!(in_sql.contains("cannot be said in SQL"), "{in_sql}");
    let flow = format!(
        "{rules}\n[[rules]]\nname = \"m\"\nentity = {{ column = \"member\", at_most = 2, method = \"flow\" }}\n"
    );
    assert!(Rules::from_toml(&flow).unwrap_err().to_string().contains("method = \"thin\""));
}

fn write_columns(path: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_owned()
}

#[test]
fn keys_that_are_dictionaries_of_any_kind_are_levels() {
    let dir = tempfile::tempdir().unwrap();
    let codes = Int8Array::from_iter_values((0..100).map(|row| row % 2));
    let names: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![5, 6]));
    let of = |values: ArrayRef| -> ArrayRef { Arc::new(DictionaryArray::new(codes.clone(), values)) };
    let columns = vec![
        ("id", Arc::new(UInt64Array::from_iter_values(0..100)) as ArrayRef),
        ("c.d", of(names)),
        ("n", of(numbers)),
    ];
    let input = write_columns(&dir.path().join("in.parquet"), columns);
    let output = dir.path().join("out.parquet");
    let rules = "id = \"id\"\nstrata = [\"c.d\", \"n\"]\n[[rules]]\nname = \"s\"\nsize = { exactly = 20 }\n";
    let report = sample(rules, vec![input.clone()], &output, 1).unwrap();
    assert_eq!((report.rows_out, report.plan.strata.len()), (20, 2));
    // What is written has the columns of the input.
    let read = read(&output);
    assert_eq!(*read[0].column(2).data_type(), *self::read(&input)[0].column(2).data_type());
}

#[test]
fn an_embargo_leaves_out_the_same_rows_whatever_the_unit_of_the_times() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.parquet");
    let rules = "id = \"id\"\nstrata = []\n[[rules]]\nname = \"parts\"\nsplit = { parts = [{ name = \"train\", share = 0.8 }, \
                 { name = \"test\", share = 0.2 }], time = \"at\", embargo = 864_000_000_000 }\n";
    let days = |unit: i64| (0..100_i64).map(move |day| day * unit);
    let columns: [ArrayRef; 4] = [
        Arc::new(TimestampMillisecondArray::from_iter_values(days(86_400_000)).with_timezone("UTC")),
        Arc::new(TimestampMicrosecondArray::from_iter_values(days(86_400_000_000)).with_timezone("UTC")),
        Arc::new(TimestampNanosecondArray::from_iter_values(days(86_400_000_000_000)).with_timezone("UTC")),
        Arc::new(Date32Array::from_iter_values(0..100)),
    ];
    for times in columns {
        let data_type = times.data_type().clone();
        let ids = Arc::new(UInt64Array::from_iter_values(0..100)) as ArrayRef;
        let input = write_columns(&dir.path().join("in.parquet"), vec![("id", ids), ("at", times)]);
        let report = sample(rules, vec![input], &output, 1).unwrap();
        let rows: Vec<u64> = report.parts.iter().map(|part| part.rows).collect();
        assert_eq!(rows, [70, 20, 10], "{data_type}");
    }
}

#[test]
fn another_seed_puts_other_entities_into_a_part() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..7_010).collect::<Vec<_>>(), 3_000);
    let output = dir.path().join("out.parquet");
    let tests = |seed: u64| {
        let rules = format!(
            "id = \"row_id\"\nseed = {seed}\nstrata = []\n[[rules]]\nname = \"parts\"\nsplit = {{ parts = [{{ name = \"train\", \
             share = 0.7 }}, {{ name = \"test\", share = 0.3 }}], entity = \"member\" }}\n"
        );
        sample(&rules, vec![input.clone()], &output, 1).unwrap();
        let mut members = BTreeSet::new();
        for batch in read(&output) {
            let rows = (0..batch.num_rows()).filter(|row| text(&batch, "part", *row) == "test");
            members.extend(rows.map(|row| text(&batch, "member", row)));
        }
        members
    };
    assert_ne!(tests(1), tests(2));
    assert_eq!(tests(1), tests(1));
}

#[test]
fn a_page_that_is_broken_is_named_with_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..20_000).collect::<Vec<_>>(), 1_000);
    let footer = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&input).unwrap()).unwrap();
    // Only the writing pass reads the column of members.
    let chunk = footer.metadata().row_group(3).column(3);
    let (start, length) = chunk.byte_range();
    let mut bytes = std::fs::read(&input).unwrap();
    bytes[start as usize..(start + length) as usize].fill(0xff);
    std::fs::write(&input, bytes).unwrap();
    for _ in 0..4 {
        let output = dir.path().join("out.parquet");
        let error = format!("{:#}", sample(RULES, vec![input.clone()], &output, 4).unwrap_err());
        assert!(error.contains("in.parquet cannot be read"), "{error}");
        assert!(!output.exists());
    }
}

#[test]
fn a_flow_that_cannot_give_every_row_says_what_it_took_and_shares_it() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..7_010).collect::<Vec<_>>(), 1_000);
    let output = dir.path().join("out.parquet");
    let rules = "id = \"row_id\"\nstrata = [\"country\"]\n[[rules]]\nname = \"m\"\nentity = { column = \"member\", \
                 at_most = 3, method = \"flow\" }\n";
    let report = sample(rules, vec![input], &output, 1).unwrap();
    assert_eq!((report.outcome, report.rows_out), (Outcome::Closest, 2_103));
    let text = report.text();
    assert!(!text.contains("holds exactly") && text.contains("2103 of 7010 rows"), "{text}");
    assert!(text.contains("7010 rows were planned"), "{text}");
    // A sixth, two sixths, three sixths.
    let taken: Vec<u64> = report.plan.strata.iter().map(|stratum| stratum.take).collect();
    assert!(
        taken.iter().zip([350, 701, 1_052]).all(|(taken, share)| taken.abs_diff(share) <= 2),
        "{taken:?}"
    );
}

#[test]
fn sql_has_no_bin_for_what_is_no_number_and_says_in_which_zone_it_runs() {
    use nearline_stratify::sql::{Dialect, counts};
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..2_000).collect::<Vec<_>>(), 1_000);
    let rules = "id = \"row_id\"\nstrata = [\"when\"]\n[keys.when]\ncolumn = \"at\"\nbins = [3.0]\n[[rules]]\nname = \"size\"\n\
                 size = { exactly = 10 }\n";
    let binned = Rules::from_toml(rules).unwrap();
    for (dialect, words) in [
        (Dialect::DuckDb, "OR CAST(\"at\" AS VARCHAR) IN ('nan', '-nan') THEN NULL"),
        (Dialect::Spark, "OR isnan(CAST(`at` AS DOUBLE)) THEN NULL"),
        (Dialect::Trino, "OR is_nan(CAST(\"at\" AS DOUBLE)) THEN NULL"),
        (Dialect::BigQuery, "OR IS_NAN(CAST(`at` AS FLOAT64)) THEN NULL"),
    ] {
        let sql = counts(&binned, dialect, "input").unwrap();
        assert!(sql.contains(words), "{sql}");
    }
    let sql = |rules: &str| {
        let mut job = job(rules, vec![input.clone()], &dir.path().join("out.parquet"), 1);
        job.dialect = Some(Dialect::DuckDb);
        run(&job, &Progress::new()).unwrap().sql.unwrap()
    };
    assert!(sql(rules).starts_with("-- The counting pass"), "{}", sql(rules));
    let written = rules.replace("column = \"at\"\nbins = [3.0]", "sql = \"at > 3\"");
    assert!(sql(&written).starts_with("-- Times are taken apart as those of UTC"), "{}", sql(&written));
}
