//! What is refused, before anything is written.

use super::*;

#[test]
fn doubled_and_missing_ids_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out.parquet");
    let mut ids = shuffled(20_000);
    ids[12_345] = ids[17];
    let doubled = write(&dir.path().join("doubled.parquet"), &ids, 1_000);
    let error = sample(RULES, vec![doubled], &output, 2).unwrap_err().to_string();
    assert!(error.contains(&format!("the id `{}`", ids[17])), "{error}");
    assert!(!output.exists());
    let missing: ArrayRef = Arc::new(UInt64Array::from(vec![Some(1), None, Some(3)]));
    let mut columns = batch(&[1, 2, 3]).columns().to_vec();
    columns[0] = missing;
    let names = ["row_id", "country", "label", "member", "at"];
    let batch =
        RecordBatch::try_from_iter_with_nullable(names.into_iter().zip(columns).map(|(n, c)| (n, c, true)))
            .unwrap();
    let path = dir.path().join("missing.parquet");
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let rules = RULES
        .replace("exactly = 600", "exactly = 1")
        .replace("A = 0.5, B = 0.3, C = 0.2", "B = 1.0")
        .replace("name = \"countries\"", "name = \"countries\"\nhard = false");
    let rules = rules.replace("shares = { B = 1.0 }", "natural = true");
    let error = sample(&rules, vec![path], &output, 1).unwrap_err().to_string();
    assert!(error.contains("1 rows have no id"), "{error}");
}

#[test]
fn what_is_refused_writes_nothing_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..1_000).collect::<Vec<_>>(), 3_000);
    let output = dir.path().join("out.parquet");
    let report = sample(RULES, vec![input.clone()], &output, 1).unwrap();
    assert_eq!((report.outcome, report.rows_out), (Outcome::Refused, 0));
    assert_eq!(report.plan.sizes.unwrap().1, 334);
    assert!(!output.exists() && report.text().contains("conflict of"));
    let report = sample(&format!("on_conflict = \"closest\"\n{RULES}"), vec![input], &output, 1).unwrap();
    assert_eq!((report.outcome, report.rows_out), (Outcome::Closest, 600));
    assert!(report.html().contains("<svg"));
}

#[test]
fn a_sample_in_the_place_of_its_input_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let input = write(&dir.path().join("in.parquet"), &(0..2_000).collect::<Vec<_>>(), 1_000);
    let before = std::fs::read(&input).unwrap();
    let error = sample(RULES, vec![input.clone()], &input, 1).unwrap_err().to_string();
    assert!(error.contains("is one of the files that are read"), "{error}");
    assert_eq!(std::fs::read(&input).unwrap(), before);
}

#[test]
fn a_report_in_the_place_of_what_is_read_or_where_it_cannot_be_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let input = write(&at("in.parquet"), &(0..6_600).collect::<Vec<_>>(), 1_000);
    std::fs::write(at("rules.toml"), RULES).unwrap();
    let before = [&input, &at("rules.toml")].map(|path| std::fs::read(path).unwrap());
    std::fs::create_dir(at("folder.croissant.json")).unwrap();
    for (output, report) in [
        ("out.parquet", "in.parquet"),
        ("out.parquet", "rules.toml"),
        ("rules.toml", "report.html"),
        ("out.parquet", "out.parquet"),
        ("out.parquet", "./out.parquet"),
        ("out.parquet", "out.croissant.json"),
        ("out.parquet", "missing/report.html"),
        ("folder.parquet", "report.html"),
    ] {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
            .current_dir(folder.path())
            .args(["stratify", "--rules", "rules.toml", "in.parquet", "-o", output, "--report", report])
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(1), "{output} {report}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!([&input, &at("rules.toml")].map(|path| std::fs::read(path).unwrap()), before);
        assert!(!at("out.parquet").exists() && !at("folder.parquet").exists(), "{output} {report}");
    }
}

#[test]
fn times_that_are_no_whole_numbers_of_64_bits_are_refused_and_others_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "id = \"row_id\"\nseed = 7\nstrata = []\n[[rules]]\nname = \"parts\"\n\
                 split = { parts = [{ name = \"train\", share = 0.5 }, { name = \"test\", share = 0.5 }], time = \"at\" }\n";
    let split = |times: ArrayRef| {
        let ids: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..times.len() as u64));
        let input = write_columns(&folder.path().join("in.parquet"), vec![("row_id", ids), ("at", times)]);
        sample(rules, vec![input], &folder.path().join("out.parquet"), 2)
    };
    let beyond = 1_u64 << 63;
    let refused: [ArrayRef; 4] = [
        Arc::new(UInt64Array::from(vec![1, 2, beyond, u64::MAX])),
        Arc::new(Float64Array::from(vec![1.0, 1.25, 1.5, 1.75])),
        Arc::new(Float64Array::from(vec![1.0, f64::NAN, 3.0, 4.0])),
        Arc::new(BooleanArray::from(vec![true, false, true, false])),
    ];
    for times in refused {
        let why = format!("{:#}", split(times).unwrap_err());
        assert!(why.contains("`at`") && why.contains("timestamp"), "{why}");
        assert!(!folder.path().join("out.parquet").exists(), "nothing is written");
    }
    let whole: [ArrayRef; 2] = [
        Arc::new(UInt64Array::from(vec![beyond - 1, 2, beyond - 2, 1])),
        Arc::new(Float64Array::from(vec![-1e15, 4e15, -2e15, 3e15])),
    ];
    for (times, train) in whole.into_iter().zip([[1, 3], [0, 2]]) {
        split(times).unwrap();
        let batches = read(&folder.path().join("out.parquet"));
        let in_train = batches.iter().flat_map(|batch| {
            let ids = batch.column_by_name("row_id").unwrap().as_primitive::<UInt64Type>();
            (0..batch.num_rows()).filter(|row| text(batch, "part", *row) == "train").map(|row| ids.value(row))
        });
        assert_eq!(in_train.collect::<BTreeSet<u64>>(), BTreeSet::from(train));
    }
}

#[test]
fn an_added_column_is_added_once() {
    let folder = tempfile::tempdir().unwrap();
    let input = write(&folder.path().join("in.parquet"), &(0..6_600).collect::<Vec<_>>(), 1_000);
    let rules = format!(
        "{RULES}[[rules]]\nname = \"w\"\nweights = {{ column = \"part\" }}\n[[rules]]\nname = \"p\"\n\
         split = {{ parts = [{{ name = \"train\", share = 1.0 }}] }}\n"
    );
    let why = sample(&rules, vec![input], &folder.path().join("out.parquet"), 2).unwrap_err().to_string();
    assert!(why.contains("`part`"), "{why}");
}

#[test]
fn keys_that_another_engine_writes_otherwise_are_refused_where_sql_is_emitted() {
    let dir = tempfile::tempdir().unwrap();
    let days = |id: u64| (id % 90) as i64 * 86_400_000_000;
    let columns: [(&str, ArrayRef); 3] = [
        ("row_id", Arc::new(UInt64Array::from_iter_values(0..900))),
        ("at", Arc::new(TimestampMicrosecondArray::from_iter_values((0..900).map(days)))),
        ("day", Arc::new(Date32Array::from_iter_values((0..900).map(|id| id % 90)))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let input = dir.path().join("in.parquet");
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(&input).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let size = "[[rules]]\nname = \"size\"\nsize = { exactly = 300 }\n";
    for (strata, keys, says) in [
        ("at", "", Some("date = \"day\"")),
        (
            "month",
            "[keys.month]\nsql = \"date_trunc('month', at)\"\n",
            Some("CAST(date_trunc('month', at) AS DATE)"),
        ),
        ("month", "[keys.month]\nsql = \"CAST(date_trunc('month', at) AS DATE)\"\n", None),
        ("at", "[keys.at]\ndate = \"day\"\n", None),
        ("day", "", None),
    ] {
        let rules = format!("id = \"row_id\"\nstrata = [\"{strata}\"]\n{keys}{size}");
        let mut job = job(&rules, vec![input.clone()], &dir.path().join("out.parquet"), 1);
        run(&job, &Progress::new()).unwrap();
        job.dialect = Some(nearline_stratify::sql::Dialect::DuckDb);
        match (run(&job, &Progress::new()), says) {
            (Ok(report), None) => assert!(report.sql.is_some()),
            (Err(error), Some(says)) => assert!(error.to_string().contains(says), "{error}"),
            (other, _) => panic!("{keys}: {:?}", other.map(|report| report.outcome)),
        }
    }
}
