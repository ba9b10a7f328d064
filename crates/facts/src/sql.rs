//! The same join as SQL, for where the data do not fit one machine.
//!
//! It gives the same rows, but for two facts of one member that agree in `event_at`, `known_at` and `position`: SQL has no
//! order of rows to tell them apart by.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::columns::{
    DECISION_POSITION, EVENT_AT, FACT_AGE, FACT_EVENT_AT, FACT_KNOWN_AT, FACT_POSITION, KNOWN_AT, MEMBER,
    POSITION, STATUS,
};
use crate::delta::LOG;
use crate::layout::{Column, Layout};
use crate::rules::Order;
use crate::source::Source;
use crate::sweep::View;

/// An engine whose SQL is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Apache Spark, and what speaks its SQL (Sail, Databricks).
    Spark,
    /// DuckDB.
    DuckDb,
}

impl std::str::FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "spark" => Ok(Self::Spark),
            "duckdb" => Ok(Self::DuckDb),
            other => Err(format!("`{other}` is not known; there are spark and duckdb")),
        }
    }
}

impl Dialect {
    fn name(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::DuckDb => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// The files of a table; a folder with all below it.
    fn table(self, paths: &[PathBuf], source: &Source) -> String {
        match self {
            Self::Spark => {
                let names = paths.iter().map(|path| spark_pattern(path, source).replace('`', "``"));
                let each = names.map(|name| format!("SELECT * FROM parquet.`{name}`"));
                format!("({})", each.collect::<Vec<_>>().join(" UNION ALL "))
            }
            Self::DuckDb => {
                let names = paths.iter().flat_map(|path| patterns(path, source));
                let each: Vec<String> = names.map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
                format!("read_parquet([{}], union_by_name = true)", each.join(", "))
            }
        }
    }

    fn row_number(self) -> &'static str {
        match self {
            Self::Spark => "row_number() OVER (ORDER BY monotonically_increasing_id())",
            Self::DuckDb => "row_number() OVER ()",
        }
    }

    fn micros_between(self, from: &str, to: &str) -> String {
        match self {
            Self::Spark => format!("unix_micros({to}) - unix_micros({from})"),
            Self::DuckDb => format!("epoch_us({to}) - epoch_us({from})"),
        }
    }

    /// A moment, so many microseconds earlier.
    fn before(self, moment: &str, micros: i64) -> String {
        match self {
            _ if micros == 0 => moment.to_owned(),
            // As calls: literals of intervals end at 32 bits.
            Self::Spark => {
                let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
                format!("{moment} - make_dt_interval(0, 0, 0, {seconds}.{rest:06})")
            }
            Self::DuckDb => format!("{moment} - to_microseconds({micros})"),
        }
    }
}

/// What a path is for DuckDB. A pattern of all below a folder would match hidden files, too, and those that a Delta log does
/// not name: where there are such, each file of the table is named.
fn patterns(path: &Path, source: &Source) -> Vec<String> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    if !path.is_dir() {
        return vec![text(path)];
    }
    let files: Vec<String> = source.paths().filter(|file| file.starts_with(path)).map(text).collect();
    if files.len() == parquet_below(path) { vec![format!("{}/**/*.parquet", text(path))] } else { files }
}

/// What a path is for Spark, which passes over hidden files and not over those that a Delta log does not name: where there are
/// such, a pattern of the table's files right in the folder.
fn spark_pattern(path: &Path, source: &Source) -> String {
    let whole = || path.to_string_lossy().into_owned();
    if !path.join(LOG).is_dir() {
        return whole();
    }
    let mut names = source.paths().filter_map(|file| file.strip_prefix(path).ok()?.to_str());
    match names.next() {
        Some(first) => {
            format!("{}/{{{first}{}}}", whole(), names.map(|name| format!(",{name}")).collect::<String>())
        }
        None => whole(),
    }
}

/// How many files of Parquet there are below a folder, whatever their names begin with.
fn parquet_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |entry: std::fs::DirEntry| {
        let path = entry.path();
        // Links to folders are not followed: they may lead back.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            return parquet_below(&path);
        }
        usize::from(path.extension().is_some_and(|extension| extension == "parquet") && path.is_file())
    };
    entries.flatten().map(count).sum()
}

/// What the statement is made from.
pub(crate) struct Statement<'a> {
    pub labels: &'a [PathBuf],
    pub facts: &'a [PathBuf],
    pub label_source: &'a Source,
    pub fact_source: &'a Source,
    pub label_columns: Vec<&'a str>,
    pub layout: &'a Layout,
}

impl Statement<'_> {
    /// The statement.
    pub fn text(&self, dialect: Dialect) -> String {
        let mut sql = format!(
            "WITH labels AS (\n  SELECT *, {} AS nearline_row FROM {}\n),\nfacts AS (\n  SELECT * FROM {}\n)",
            dialect.row_number(),
            dialect.table(self.labels, self.label_source),
            dialect.table(self.facts, self.fact_source)
        );
        for (place, view) in self.layout.views.iter().enumerate() {
            let _ = write!(sql, ",\n{}", self.matched(place, *view, dialect));
        }
        let _ = write!(sql, "\nSELECT\n  {}\nFROM labels l", self.columns(dialect).join(",\n  "));
        for place in 0..self.layout.views.len() {
            let _ = write!(
                sql,
                "\nLEFT JOIN seen_{place} f{place} ON f{place}.nearline_row = l.nearline_row AND f{place}.nearline_rank = 1"
            );
        }
        sql.push_str("\nORDER BY l.nearline_row;\n");
        sql
    }

    /// The facts that each label may see in one view, the one that answers it first.
    fn matched(&self, place: usize, view: View, dialect: Dialect) -> String {
        let name = |name: &str| dialect.name(name);
        let (at, known) = (name(EVENT_AT), name(KNOWN_AT));
        let position = name(POSITION);
        let by_time =
            format!("f.{known} <= {} AND f.{at} <= l.{at}", dialect.before(&format!("l.{at}"), view.delay));
        let decided =
            self.label_columns.contains(&DECISION_POSITION).then(|| format!("l.{}", name(DECISION_POSITION)));
        let sees = match &decided {
            Some(decided) => {
                format!("CASE WHEN {decided} IS NOT NULL THEN f.{position} <= {decided} ELSE {by_time} END")
            }
            None => by_time,
        };
        let time = |column: &str| match &decided {
            Some(decided) => format!("CASE WHEN {decided} IS NULL THEN f.{column} END DESC"),
            None => format!("f.{column} DESC"),
        };
        let served = format!("f.{position} DESC, f.{at} DESC, f.{known} DESC");
        let newest = match view.order {
            Order::EventTime => format!("{}, {}, {served}", time(&at), time(&known)),
            Order::AsServed => served,
        };
        format!(
            "seen_{place} AS (\n  SELECT l.nearline_row, f.*, row_number() OVER (PARTITION BY l.nearline_row ORDER BY {newest}) AS nearline_rank\n  FROM labels l JOIN facts f ON f.{member} = l.{member} AND {sees}\n)",
            member = name(MEMBER)
        )
    }

    fn columns(&self, dialect: Dialect) -> Vec<String> {
        let name = |name: &str| dialect.name(name);
        let mut columns: Vec<String> =
            self.label_columns.iter().map(|column| format!("l.{}", name(column))).collect();
        let (at, known) = (name(EVENT_AT), name(KNOWN_AT));
        columns.push(format!("f0.{at} AS {}", name(FACT_EVENT_AT)));
        columns.push(format!("f0.{known} AS {}", name(FACT_KNOWN_AT)));
        columns.push(format!("f0.{} AS {}", name(POSITION), name(FACT_POSITION)));
        let age = dialect.micros_between(&format!("f0.{at}"), &format!("l.{at}"));
        columns.push(format!("{age} AS {}", name(FACT_AGE)));
        let own = self.layout.columns.iter().filter(|column| column.status.is_none());
        let nulls: Vec<String> = own.map(|column| format!("f0.{} IS NULL", name(&column.source))).collect();
        columns.push(format!("{} AS {}", status(dialect, 0, self.layout.ttl, &nulls), name(STATUS)));
        for column in &self.layout.columns {
            columns.push(format!("{} AS {}", feature(dialect, column), name(&column.name)));
            if let Some(status_name) = &column.status {
                let nulls = [format!("f{}.{} IS NULL", column.view, name(&column.source))];
                columns.push(format!(
                    "{} AS {}",
                    status(dialect, column.view, column.ttl, &nulls),
                    name(status_name)
                ));
            }
        }
        columns
    }
}

fn expired(dialect: Dialect, view: usize, ttl: i64) -> String {
    let at = dialect.name(EVENT_AT);
    format!("f{view}.{at} < {}", dialect.before(&format!("l.{at}"), ttl))
}

fn status(dialect: Dialect, view: usize, ttl: Option<i64>, nulls: &[String]) -> String {
    let mut cases = format!("CASE WHEN f{view}.{} IS NULL THEN 'none'", dialect.name(KNOWN_AT));
    if let Some(ttl) = ttl {
        let _ = write!(cases, " WHEN {} THEN 'expired'", expired(dialect, view, ttl));
    }
    if !nulls.is_empty() {
        let _ = write!(cases, " WHEN {} THEN 'null'", nulls.join(" AND "));
    }
    cases.push_str(" ELSE 'ok' END");
    cases
}

fn feature(dialect: Dialect, column: &Column) -> String {
    let value = format!("f{}.{}", column.view, dialect.name(&column.source));
    match column.ttl {
        Some(ttl) => format!("CASE WHEN {} THEN NULL ELSE {value} END", expired(dialect, column.view, ttl)),
        None => value,
    }
}
