//! What a version of the log says: one JSON object on each line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A file becomes the table's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Add {
    /// Its path below the table's folder.
    pub path: String,
    /// Values of partition columns: there are none.
    #[serde(default)]
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Its bytes.
    pub size: i64,
    /// When it was made, Unix milliseconds.
    pub modification_time: i64,
    /// Whether rows come or go; false where they are only arranged otherwise.
    pub data_change: bool,
    /// Statistics as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<String>,
    /// Rows that are deleted though they are in the file: not read here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deletion_vector: Option<serde_json::Value>,
}

impl Add {
    /// A file with new rows.
    pub fn new(path: String, size: u64, rows: u64, now_ms: i64) -> Self {
        Self {
            path,
            partition_values: BTreeMap::new(),
            size: i64::try_from(size).unwrap_or(i64::MAX),
            modification_time: now_ms,
            data_change: true,
            stats: Some(format!("{{\"numRecords\":{rows}}}")),
            deletion_vector: None,
        }
    }

    /// A file with rows that are there already, arranged otherwise.
    pub fn arranged(path: String, size: u64, rows: u64, now_ms: i64) -> Self {
        Self { data_change: false, ..Self::new(path, size, rows, now_ms) }
    }

    /// Its rows, where they are told.
    pub fn rows(&self) -> u64 {
        let stats =
            self.stats.as_deref().and_then(|stats| serde_json::from_str::<serde_json::Value>(stats).ok());
        stats.and_then(|stats| stats["numRecords"].as_u64()).unwrap_or_default()
    }
}

/// A file is no longer the table's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub path: String,
    #[serde(default)]
    pub deletion_timestamp: Option<i64>,
    pub data_change: bool,
}

/// How far an application has come with the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transaction {
    /// The application.
    pub app_id: String,
    /// How far.
    pub version: i64,
    /// When, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<i64>,
}

/// What a table is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// An id of its own.
    pub id: String,
    /// The format of its files.
    pub format: Format,
    /// The schema as JSON text.
    pub schema_string: String,
    /// Columns whose values are in paths.
    pub partition_columns: Vec<String>,
    /// Settings.
    pub configuration: BTreeMap<String, String>,
    /// When it was made, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_time: Option<i64>,
}

/// The format of a table's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// `parquet`.
    pub provider: String,
    /// Nothing.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl Default for Format {
    fn default() -> Self {
        Self { provider: "parquet".into(), options: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub min_reader_version: u32,
    pub min_writer_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

/// One line of the log.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Add(Add),
    Remove(Remove),
    Transaction(Transaction),
    Metadata(Metadata),
    Protocol(Protocol),
    /// What changes nothing that is read here.
    Other,
    /// Who did what: written, never read.
    Info(serde_json::Value),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remove: Option<Remove>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txn: Option<Transaction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta_data: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_info: Option<serde_json::Value>,
}

impl Action {
    /// The oldest protocol that reads and writes these tables.
    pub fn protocol() -> Self {
        let protocol = Protocol {
            min_reader_version: 1,
            min_writer_version: 2,
            reader_features: None,
            writer_features: None,
        };
        Self::Protocol(protocol)
    }

    pub fn remove(path: &str, data_change: bool, now_ms: i64) -> Self {
        Self::Remove(Remove { path: path.to_owned(), deletion_timestamp: Some(now_ms), data_change })
    }

    pub fn info(operation: &str, now_ms: i64) -> Self {
        let engine = concat!("nearline-facts/", env!("CARGO_PKG_VERSION"));
        Self::Info(serde_json::json!({
            "timestamp": now_ms, "operation": operation, "operationParameters": {}, "engineInfo": engine,
        }))
    }

    pub fn parse(line: &str) -> serde_json::Result<Self> {
        let line: Line = serde_json::from_str(line)?;
        Ok(match line {
            Line { add: Some(add), .. } => Self::Add(add),
            Line { remove: Some(remove), .. } => Self::Remove(remove),
            Line { txn: Some(transaction), .. } => Self::Transaction(transaction),
            Line { meta_data: Some(metadata), .. } => Self::Metadata(metadata),
            Line { protocol: Some(protocol), .. } => Self::Protocol(protocol),
            _ => Self::Other,
        })
    }

    pub fn print(&self) -> String {
        let mut line = Line::default();
        match self.clone() {
            Self::Add(add) => line.add = Some(add),
            Self::Remove(remove) => line.remove = Some(remove),
            Self::Transaction(transaction) => line.txn = Some(transaction),
            Self::Metadata(metadata) => line.meta_data = Some(metadata),
            Self::Protocol(protocol) => line.protocol = Some(protocol),
            Self::Info(info) => line.commit_info = Some(info),
            Self::Other => {}
        }
        serde_json::to_string(&line).expect("an action is text and numbers")
    }
}
