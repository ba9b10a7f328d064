//! Delta tables in a folder: which files a table is made of, and adding files to it.
//!
//! Only what an append-only archive needs is here: commits are made by creating the next file of the log, which the file
//! system does for one writer alone; no checkpoints, no deletion vectors, no partition columns. A table that uses what is
//! not here is refused, never read wrongly. The protocol: <https://github.com/delta-io/delta/blob/master/PROTOCOL.md>.

mod actions;
mod left_behind;
mod log;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{FactsError, Result};
use crate::location::Location;

use actions::Action;
pub use actions::{Add, Metadata, Transaction};
pub(crate) use left_behind::SORTING;
pub use left_behind::{LeftBehind, LeftKind};

/// The folder of a table's log.
pub(crate) const LOG: &str = "_delta_log";

/// A table as of a version of its log.
#[derive(Debug, Clone)]
pub struct DeltaTable {
    location: Location,
    /// The newest version that was read.
    version: u64,
    metadata: Metadata,
    files: BTreeMap<String, Add>,
    transactions: BTreeMap<String, i64>,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// It is version so-and-so.
    As(u64),
    /// Somebody else committed first: nothing was written; read the table again.
    Conflict,
}

/// What is committed together.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Files that are added.
    pub add: Vec<Add>,
    /// Files that are no longer the table's, by their paths.
    pub remove: Vec<String>,
    /// How far applications have come with it.
    pub transactions: Vec<Transaction>,
    /// What the table is described as from now on; `None`: as before.
    pub metadata: Option<Metadata>,
    /// What is done, such as `WRITE`.
    pub operation: &'static str,
}

impl DeltaTable {
    /// Reads a table's log; none if the folder is no table.
    ///
    /// # Errors
    /// A log that cannot be read, or needs what is not built in.
    pub fn open(location: impl Into<Location>) -> Result<Option<Self>> {
        let location = location.into();
        let Some(entries) = log::read(&location)? else { return Ok(None) };
        let mut table = Self {
            location,
            version: 0,
            metadata: Metadata::default(),
            files: BTreeMap::new(),
            transactions: BTreeMap::new(),
        };
        for (version, actions) in entries {
            table.version = version;
            for action in actions {
                table.apply(action)?;
            }
        }
        Ok(Some(table))
    }

    /// Makes a table of these columns, given as the protocol's schema. Whoever is second finds the first one's.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn create(location: impl Into<Location>, metadata: Metadata, now_ms: i64) -> Result<Self> {
        let location = location.into();
        let actions =
            vec![Action::protocol(), Action::Metadata(metadata), Action::info("CREATE TABLE", now_ms)];
        log::write(&location, 0, &actions)?;
        let root = location.folder().display().to_string();
        Self::open(location)?
            .ok_or_else(|| FactsError::Refused(format!("{root} is gone though it was just made")))
    }

    /// Opens the table, or makes it.
    ///
    /// # Errors
    /// As [`DeltaTable::open`] and [`DeltaTable::create`].
    pub fn open_or_create(
        location: Location,
        metadata: impl FnOnce() -> Metadata,
        now_ms: i64,
    ) -> Result<Self> {
        match Self::open(location.clone())? {
            Some(table) => Ok(table),
            None => Self::create(location, metadata(), now_ms),
        }
    }

    /// Reads what others have committed.
    ///
    /// # Errors
    /// As [`DeltaTable::open`]; there is no table any more.
    pub fn refresh(&mut self) -> Result<()> {
        *self = Self::open(self.location.clone())?
            .ok_or_else(|| FactsError::Refused(format!("{} is gone", self.root().display())))?;
        Ok(())
    }

    /// Adds and removes files, if nobody else committed since the table was read.
    ///
    /// # Errors
    /// A log that cannot be written.
    pub fn commit(&mut self, change: &Change, now_ms: i64) -> Result<Committed> {
        let mut actions: Vec<Action> = change.add.iter().cloned().map(Action::Add).collect();
        // Where rows are only arranged otherwise, readers that follow changes have nothing to see.
        let changes = change.add.is_empty() || change.add.iter().any(|add| add.data_change);
        actions.extend(change.remove.iter().map(|path| Action::remove(path, changes, now_ms)));
        actions.extend(change.metadata.iter().cloned().map(Action::Metadata));
        actions.extend(change.transactions.iter().cloned().map(Action::Transaction));
        actions.push(Action::info(change.operation, now_ms));
        let version = self.version + 1;
        if !log::write(&self.location, version, &actions)? {
            return Ok(Committed::Conflict);
        }
        self.version = version;
        for action in actions {
            self.apply(action)?;
        }
        Ok(Committed::As(version))
    }

    /// The folder of the table.
    pub fn root(&self) -> &Path {
        self.location.folder()
    }

    /// Where the table is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// A file of the table, on this machine.
    ///
    /// # Errors
    /// It cannot be fetched.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        self.location.file(name)
    }

    /// The newest version that was read.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The description of the table with columns that it lacks, given as the protocol's fields, behind its own;
    /// `None`: it lacks none.
    ///
    /// # Errors
    /// A schema that is none.
    pub fn widened(&self, fields: Vec<serde_json::Value>) -> Result<Option<Metadata>> {
        let damaged =
            || FactsError::Refused(format!("the schema of {} cannot be read", self.root().display()));
        let mut schema: serde_json::Value =
            serde_json::from_str(&self.metadata.schema_string).map_err(|_| damaged())?;
        let known = schema["fields"].as_array_mut().ok_or_else(damaged)?;
        let before = known.len();
        for field in fields {
            if !known.iter().any(|known| known["name"] == field["name"]) {
                known.push(field);
            }
        }
        let is_wider = known.len() > before;
        Ok(is_wider.then(|| Metadata { schema_string: schema.to_string(), ..self.metadata.clone() }))
    }

    /// A setting of the table.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.metadata.configuration.get(key).map(String::as_str)
    }

    /// The files of the table, by path.
    pub fn files(&self) -> impl Iterator<Item = &Add> {
        self.files.values()
    }

    /// How far an application has come.
    pub fn transaction(&self, application: &str) -> Option<i64> {
        self.transactions.get(application).copied()
    }

    fn apply(&mut self, action: Action) -> Result<()> {
        match action {
            Action::Add(add) => {
                if add.deletion_vector.is_some() {
                    return Err(self.unsupported("deletion vectors"));
                }
                self.files.insert(add.path.clone(), add);
            }
            Action::Remove(remove) => {
                self.files.remove(&remove.path);
            }
            Action::Transaction(transaction) => {
                self.transactions.insert(transaction.app_id, transaction.version);
            }
            Action::Metadata(metadata) => {
                if !metadata.partition_columns.is_empty() {
                    return Err(self.unsupported("partition columns, whose values are not in the files"));
                }
                let mapping = metadata.configuration.get("delta.columnMapping.mode");
                if mapping.is_some_and(|mode| mode != "none") {
                    return Err(self.unsupported("column mapping"));
                }
                self.metadata = metadata;
            }
            Action::Protocol(protocol) => {
                let known = |feature: &String| {
                    matches!(feature.as_str(), "timestampNtz" | "deletionVectors" | "vacuumProtocolCheck")
                };
                let features = protocol.reader_features.unwrap_or_default();
                if protocol.min_reader_version > 3 || !features.iter().all(known) {
                    return Err(self.unsupported("a newer protocol"));
                }
            }
            Action::Other | Action::Info(_) => {}
        }
        Ok(())
    }

    fn unsupported(&self, what: &str) -> FactsError {
        FactsError::Refused(format!(
            "the Delta table {} uses {what}, which is not built in; write its current rows to plain Parquet files first",
            self.root().display()
        ))
    }
}
