//! What engines write differently.

use std::str::FromStr;

use crate::rules::DatePart;

/// An engine's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Apache Spark.
    Spark,
    /// DuckDB.
    DuckDb,
    /// Trino.
    Trino,
    /// BigQuery.
    BigQuery,
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "spark" => Ok(Self::Spark),
            "duckdb" => Ok(Self::DuckDb),
            "trino" => Ok(Self::Trino),
            "bigquery" => Ok(Self::BigQuery),
            other => Err(format!("`{other}` is none of spark, duckdb, trino, bigquery")),
        }
    }
}

impl Dialect {
    /// What stands around the names of columns.
    pub fn quote(self) -> char {
        match self {
            Self::Spark | Self::BigQuery => '`',
            Self::DuckDb | Self::Trino => '"',
        }
    }

    /// A name of a column.
    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::Spark | Self::BigQuery => format!("`{}`", name.replace('`', "``")),
            Self::DuckDb | Self::Trino => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A text.
    pub(super) fn text(self, text: &str) -> String {
        match self {
            Self::Spark | Self::BigQuery => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::DuckDb | Self::Trino => format!("'{}'", text.replace('\'', "''")),
        }
    }

    pub(super) fn as_text(self, expression: &str) -> String {
        match self {
            Self::Spark | Self::BigQuery => format!("CAST({expression} AS STRING)"),
            Self::DuckDb | Self::Trino => format!("CAST({expression} AS VARCHAR)"),
        }
    }

    /// Whether a number is NaN, which engines hold for the largest of all; whole numbers are none.
    pub(super) fn is_no_number(self, column: &str) -> String {
        match self {
            Self::Spark => format!("isnan(CAST({column} AS DOUBLE))"),
            // As text: DuckDB takes `isnan` of a Parquet column for false where its statistics, which leave NaN out, do.
            Self::DuckDb => format!("CAST({column} AS VARCHAR) IN ('nan', '-nan')"),
            Self::Trino => format!("is_nan(CAST({column} AS DOUBLE))"),
            Self::BigQuery => format!("IS_NAN(CAST({column} AS FLOAT64))"),
        }
    }

    /// The first 16 hexadecimal digits of SHA-256 of `seed:id`.
    pub(super) fn hash(self, seed: u64, id: &str) -> String {
        let message = format!("concat('{seed}:', {})", self.as_text(id));
        match self {
            Self::Spark => format!("substr(sha2({message}, 256), 1, 16)"),
            Self::DuckDb => format!("substr(sha256({message}), 1, 16)"),
            Self::Trino => format!("substr(lower(to_hex(sha256(to_utf8({message})))), 1, 16)"),
            Self::BigQuery => format!("substr(to_hex(sha256({message})), 1, 16)"),
        }
    }

    pub(super) fn date_part(self, part: DatePart, column: &str) -> String {
        match (part, self) {
            (DatePart::Year, _) => self.as_text(&format!("EXTRACT(YEAR FROM {column})")),
            (DatePart::Month, _) => {
                format!("substr({}, 1, 7)", self.as_text(&format!("CAST({column} AS DATE)")))
            }
            (DatePart::Day, _) => self.as_text(&format!("CAST({column} AS DATE)")),
            (DatePart::Hour, _) => self.as_text(&format!("EXTRACT(HOUR FROM {column})")),
            // Days of the week are numbered from Monday, 1.
            (DatePart::Weekday, Self::Spark) => self.as_text(&format!("(weekday({column}) + 1)")),
            (DatePart::Weekday, Self::DuckDb) => self.as_text(&format!("isodow({column})")),
            (DatePart::Weekday, Self::Trino) => self.as_text(&format!("day_of_week({column})")),
            (DatePart::Weekday, Self::BigQuery) => {
                self.as_text(&format!("(MOD(EXTRACT(DAYOFWEEK FROM {column}) + 5, 7) + 1)"))
            }
        }
    }

    /// Rows as a table.
    pub(super) fn values(self, columns: &[String], rows: &[Vec<String>]) -> String {
        if self == Self::BigQuery {
            let structs = rows.iter().enumerate().map(|(place, row)| {
                let fields = row.iter().zip(columns);
                let fields: Vec<String> = match place {
                    0 => fields.map(|(value, column)| format!("{value} AS {column}")).collect(),
                    _ => row.clone(),
                };
                format!("    STRUCT({})", fields.join(", "))
            });
            return format!("UNNEST([\n{}\n  ])", structs.collect::<Vec<_>>().join(",\n"));
        }
        let rows: Vec<String> = rows.iter().map(|row| format!("    ({})", row.join(", "))).collect();
        format!("(VALUES\n{}\n  ) AS v ({})", rows.join(",\n"), columns.join(", "))
    }
}
