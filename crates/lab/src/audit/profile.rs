//! Rows and nulls of a table, by day of `known_at`.

use std::collections::BTreeMap;

use anyhow::Context;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, RecordBatch};
use nearline_facts::delta::DeltaTable;
use nearline_model::timestamp::format_rfc3339;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Serialize;

const DAY_US: i64 = 86_400_000_000;
/// Days before that a day is held against.
const TREND_DAYS: usize = 7;
/// A day with fewer than this share of the rows of its trend is a finding.
const LEAST_SHARE: f64 = 0.5;
/// A share of nulls that is higher than that of the trend by this much is a finding.
const MOST_NULLS: f64 = 0.1;

/// A day.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Day {
    /// The day, UTC.
    pub day: String,
    /// Rows.
    pub rows: u64,
    /// Nulls, by column, of those that have any.
    pub nulls: BTreeMap<String, u64>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub column: String,
    /// Nulls in it.
    pub nulls: u64,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Its name.
    pub table: String,
    /// Files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
    /// The columns.
    pub columns: Vec<Column>,
    /// The days, those without rows included.
    pub days: Vec<Day>,
}

/// Rows of a table, file by file.
pub(super) fn batches(
    table: &DeltaTable,
    mut see: impl FnMut(&RecordBatch) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for file in table.files() {
        let path = table.file(&file.path)?;
        let what = || format!("{} cannot be read", path.display());
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).with_context(what)?);
        for batch in reader.with_context(what)?.with_batch_size(8_192).build().with_context(what)? {
            see(&batch.with_context(what)?)?;
        }
    }
    Ok(())
}

pub(super) fn profile(name: &str, table: &DeltaTable) -> anyhow::Result<Table> {
    let mut days: BTreeMap<i64, Day> = BTreeMap::new();
    let mut columns: Vec<Column> = Vec::new();
    let mut rows = 0;
    batches(table, |batch| {
        rows += batch.num_rows() as u64;
        let known = batch["known_at"].as_primitive::<TimestampMicrosecondType>();
        let day_of = |row: usize| known.value(row).div_euclid(DAY_US);
        for row in 0..batch.num_rows() {
            days.entry(day_of(row)).or_default().rows += 1;
        }
        for (place, field) in batch.schema().fields().iter().enumerate() {
            if columns.len() <= place {
                columns.push(Column { column: field.name().clone(), nulls: 0 });
            }
            let values = batch.column(place);
            columns[place].nulls += values.null_count() as u64;
            let nulls =
                (0..values.len()).filter(|_| values.null_count() > 0).filter(|row| values.is_null(*row));
            for row in nulls {
                let day = days.entry(day_of(row)).or_default();
                *day.nulls.entry(field.name().clone()).or_default() += 1;
            }
        }
        Ok(())
    })?;
    let named = |day: i64| -> String { format_rfc3339(day * DAY_US / 1_000).chars().take(10).collect() };
    let range = days.keys().next().copied().zip(days.keys().next_back().copied());
    let days = range.map(|(first, last)| {
        // A log that was quiet for years is no reason to list each day of them.
        let all = (first..=last).filter(|day| last - first < 10_000 || days.contains_key(day));
        all.map(|day| Day { day: named(day), ..days.get(&day).cloned().unwrap_or_default() }).collect()
    });
    Ok(Table {
        table: name.to_owned(),
        files: table.files().count() as u64,
        bytes: table.files().map(|file| file.size.unsigned_abs()).sum(),
        rows,
        columns,
        days: days.unwrap_or_default(),
    })
}

impl Table {
    /// Days that are not like those before; the last one is not over.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let whole = self.days.len().saturating_sub(1);
        for (at, day) in self.days[..whole].iter().enumerate().skip(2) {
            let before = &self.days[at.saturating_sub(TREND_DAYS)..at];
            let rows = median(before.iter().map(|day| day.rows as f64));
            if (day.rows as f64) < rows * LEAST_SHARE {
                let what =
                    format!("{}: {} rows on {}, {rows:.0} on the days before", self.table, day.rows, day.day);
                findings.push(what);
            }
            for column in day.nulls.keys().filter(|_| day.rows > 0) {
                let usual =
                    median(before.iter().filter(|day| day.rows > 0).map(|day| day.null_share(column)));
                let share = day.null_share(column);
                if share > usual + MOST_NULLS {
                    findings.push(format!(
                        "{}: {column} is null in {:.0} % of the rows of {}, {:.0} % on the days before",
                        self.table,
                        share * 100.0,
                        day.day,
                        usual * 100.0
                    ));
                }
            }
        }
        findings
    }

    pub(super) fn text(&self) -> String {
        let range = match (self.days.first(), self.days.last()) {
            (Some(first), Some(last)) => format!(", {} to {}", first.day, last.day),
            _ => String::new(),
        };
        let nulls: Vec<String> = self
            .columns
            .iter()
            .filter(|column| column.nulls > 0)
            .map(|column| {
                format!("{} {:.1} %", column.column, 100.0 * column.nulls as f64 / self.rows.max(1) as f64)
            })
            .collect();
        let nulls = if nulls.is_empty() { "none".to_owned() } else { nulls.join(", ") };
        format!(
            "{}: {} rows in {} files, {} bytes{range}; nulls: {nulls}\n",
            self.table, self.rows, self.files, self.bytes
        )
    }
}

impl Day {
    fn null_share(&self, column: &str) -> f64 {
        self.nulls.get(column).copied().unwrap_or_default() as f64 / self.rows.max(1) as f64
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(days: &[(u64, u64)]) -> Table {
        let day = |(at, (rows, nulls)): (usize, &(u64, u64))| Day {
            day: format!("2026-03-{:02}", at + 1),
            rows: *rows,
            nulls: BTreeMap::from([("country".to_owned(), *nulls)]),
        };
        let days = days.iter().enumerate().map(day).collect();
        Table { table: "members".into(), files: 1, bytes: 1, rows: 1, columns: Vec::new(), days }
    }

    #[test]
    fn a_day_unlike_those_before_is_found_and_the_last_is_not_over() {
        assert_eq!(table(&[(100, 1), (110, 2), (90, 0), (100, 1), (3, 0)]).findings(), [""; 0]);
        let few = table(&[(100, 1), (110, 2), (40, 0), (100, 1), (100, 1)]).findings();
        assert_eq!(few, ["members: 40 rows on 2026-03-03, 110 on the days before"]);
        let nulls = table(&[(100, 1), (110, 2), (100, 30), (100, 1), (100, 1)]).findings();
        assert_eq!(nulls.len(), 1, "{nulls:?}");
        assert!(nulls[0].contains("country is null in 30 %"), "{nulls:?}");
    }
}
