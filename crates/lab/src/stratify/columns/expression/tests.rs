use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

use super::*;

/// Three rows, the last of nulls.
fn batch() -> RecordBatch {
    let texts = |values: [Option<&str>; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter([
        ("country", texts([Some("DE"), Some("fr"), None])),
        ("age", Arc::new(Int32Array::from(vec![Some(17), Some(40), None])) as ArrayRef),
        ("watched", Arc::new(Float64Array::from(vec![Some(0.95), Some(0.2), None])) as ArrayRef),
        ("kids", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])) as ArrayRef),
        // 2026-11-25 is a Wednesday; day 0 is a Thursday.
        ("born", Arc::new(Date32Array::from(vec![Some(20_782), Some(0), None])) as ArrayRef),
        (
            "at",
            Arc::new(
                TimestampMicrosecondArray::from(vec![Some(1_795_644_123_000_000), Some(-1), None])
                    .with_timezone("+02:00"),
            ) as ArrayRef,
        ),
        ("Odd Name", texts([Some("a_b"), Some("a%b"), Some("axb")])),
    ])
    .unwrap()
}

fn levels(sql: &str) -> Vec<String> {
    let batch = batch();
    let expression = Expression::new("k", sql, &batch.schema()).unwrap_or_else(|error| panic!("{error:#}"));
    let mut found = Vec::new();
    expression.levels(&batch, |_, level| found.push(level.unwrap_or("-").to_owned())).unwrap();
    found
}

fn refused(sql: &str) -> String {
    format!("{:#}", Expression::new("k", sql, &batch().schema()).expect_err(sql))
}

#[test]
fn expressions_give_what_the_standard_says() {
    for (sql, wanted) in [
        ("country", ["DE", "fr", "-"]),
        ("COUNTRY", ["DE", "fr", "-"]),
        ("upper(country)", ["DE", "FR", "-"]),
        (
            "CASE WHEN age < 18 THEN 'young' WHEN age < 60 THEN 'grown' ELSE 'old' END",
            ["young", "grown", "old"],
        ),
        ("CASE kids WHEN true THEN 1 ELSE 0 END", ["1", "0", "0"]),
        ("CASE WHEN age > 18 THEN 1 END", ["-", "1", "-"]),
        ("watched > 0.9", ["true", "false", "-"]),
        ("watched >= 0.2 AND age <> 17", ["false", "true", "-"]),
        ("kids OR age IS NULL", ["true", "false", "true"]),
        ("kids AND NULL", ["-", "false", "-"]),
        ("kids IS NOT TRUE", ["false", "true", "true"]),
        ("NOT kids", ["false", "true", "-"]),
        ("age IN (17, 18.0)", ["true", "false", "-"]),
        ("age NOT IN (17, NULL)", ["false", "-", "-"]),
        ("age BETWEEN 17 AND 20", ["true", "false", "-"]),
        ("country IS DISTINCT FROM 'DE'", ["false", "true", "true"]),
        ("coalesce(country, 'none')", ["DE", "fr", "none"]),
        ("country || '/' || CAST(age AS VARCHAR)", ["DE/17", "fr/40", "-"]),
        ("concat(country, '/')", ["DE/", "fr/", "/"]),
        ("CAST(floor(age / 10) * 10 AS INTEGER)", ["10", "40", "-"]),
        ("CAST(round(watched * 10) AS INT)", ["10", "2", "-"]),
        ("age % 10", ["7", "0", "-"]),
        ("age % 0", ["-", "-", "-"]),
        ("-age + 1", ["-16", "-39", "-"]),
        ("age / 0 IS NULL", ["true", "true", "true"]),
        ("\"Odd Name\" LIKE 'a_b'", ["true", "true", "true"]),
        ("\"Odd Name\" LIKE 'a!_b' ESCAPE '!'", ["true", "false", "false"]),
        ("\"Odd Name\" LIKE '%a!%%' ESCAPE '!'", ["false", "true", "false"]),
        ("country ILIKE 'd%'", ["true", "false", "-"]),
        ("substr(country, 2)", ["E", "r", "-"]),
        ("substring(country from 1 for 1)", ["D", "f", "-"]),
        ("substring(country, 0, 2)", ["D", "f", "-"]),
        ("substring(country, -9223372036854775807 - 1, 3)", ["", "", "-"]),
        ("right(country, -9223372036854775807)", ["", "", "-"]),
        ("-9223372036854775807 - 2 IS NULL", ["true", "true", "true"]),
        ("left(country, 1) || right(country, 1)", ["DE", "fr", "-"]),
        ("length(country)", ["2", "2", "-"]),
        ("position('E' IN country)", ["2", "0", "-"]),
        ("trim('  x ')", ["x", "x", "x"]),
        ("replace(country, 'D', 'd')", ["dE", "fr", "-"]),
        ("greatest(age, 18)", ["18", "40", "18"]),
        ("nullif(country, 'DE')", ["-", "fr", "-"]),
        ("if(kids, 'child', 'adult')", ["child", "adult", "adult"]),
        ("EXTRACT(year FROM born)", ["2026", "1970", "-"]),
        ("EXTRACT(isodow FROM born) * 10 + extract(dow from born)", ["33", "44", "-"]),
        ("quarter(born)", ["4", "1", "-"]),
        ("EXTRACT(hour FROM at)", ["22", "23", "-"]),
        ("CAST(at AS DATE)", ["2026-11-25", "1969-12-31", "-"]),
        ("date_trunc('month', at)", ["2026-11-01", "1969-12-01", "-"]),
        ("date_trunc('week', born)", ["2026-11-23", "1969-12-29", "-"]),
        ("born >= '2026-01-01'", ["true", "false", "-"]),
        ("at < TIMESTAMP '2026-11-25T22:02:04Z'", ["true", "true", "-"]),
        ("born = DATE '1970-01-01'", ["false", "true", "-"]),
        ("CAST('x' AS INTEGER) IS NULL", ["true", "true", "true"]),
    ] {
        assert_eq!(levels(sql), wanted, "{sql}");
    }
}

#[test]
fn what_is_no_key_is_refused_with_its_reason() {
    for (sql, reason) in [
        ("watched", "numbers with a fraction"),
        ("age / 2", "numbers with a fraction"),
        ("at", "moments"),
        ("NULL", "null for every row"),
        ("nothing", "there is no column `nothing`; there are country"),
        ("\"COUNTRY\"", "there is no column"),
        ("age < 'x'", "`age` is a whole number, `'x'` is text"),
        ("born > 'x'", "`'x'` is text, where a date is wanted"),
        ("country AND kids", "`country` is text, where true or false is wanted"),
        ("sqrt(country) > 1", "`country` is text, where a number is wanted"),
        ("lower(age)", "`age` is a whole number, where text is wanted"),
        ("soundex(country)", "there is no function `soundex`; there are abs"),
        ("left(country)", "`left` takes 2 arguments, not 1"),
        ("age <", "Expected"),
        ("age; DROP TABLE x", "it should end before `;`"),
        ("EXTRACT(hour FROM born)", "`born` is a date, which has no"),
        ("date_trunc('hour', at)", "not to 'hour'"),
        ("(SELECT 1)", "is not known here"),
        ("count(*)", "`*` is no argument here"),
        ("CASE WHEN kids THEN 1 ELSE 'x' END", "`'x'` is text, what comes before it a whole number"),
        ("country LIKE lower('X')", "must be written as text"),
        ("CAST(watched AS VARCHAR)", "a number cannot be cast to VARCHAR"),
    ] {
        let said = refused(sql);
        assert!(said.contains(reason) && said.starts_with("the key `k`"), "{sql}: {said}");
    }
    let long = vec!["age"; 1_000].join("+");
    assert!(refused(&long).contains("more than 200 parts within each other"));
    assert!(refused(&vec!["age"; 3_000].join("+")).contains("8192 may be"));
    let deep = format!("{}1{}", "(".repeat(4_000), ")".repeat(4_000));
    assert!(
        refused(&deep).contains("recursion"),
        "{}",
        refused(&deep).chars().rev().take(80).collect::<String>()
    );
}

#[test]
fn columns_are_quoted_for_engines_and_nothing_else_is() {
    let schema = batch().schema();
    let written = |sql, schema| quoted("k", sql, schema, '`').unwrap();
    assert_eq!(written("month(AT) % 4", Some(&schema)), "month(`at`) % 4");
    assert_eq!(written("EXTRACT(hour FROM at)", None), "EXTRACT(HOUR FROM `at`)");
    assert_eq!(written("\"Odd Name\" LIKE 'at%'", Some(&schema)), "`Odd Name` LIKE 'at%'");
}

#[test]
fn columns_are_named_once_each() {
    let expression = Expression::new("k", "age + age * 2 > 3 AND country = 'x'", &batch().schema()).unwrap();
    assert_eq!(expression.columns().collect::<Vec<_>>(), ["age", "country"]);
}
