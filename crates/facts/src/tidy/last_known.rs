//! When the last row of each file became known, as its footer says.

use std::collections::BTreeMap;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::columns::KNOWN_AT;
use crate::delta::DeltaTable;
use crate::error::{FactsError, Result};

/// By file, Unix milliseconds; none if it does not say. Files never change: each footer is read once.
#[derive(Debug, Default)]
pub(super) struct LastKnown {
    by_file: BTreeMap<String, Option<i64>>,
}

impl LastKnown {
    /// Of a file of the table.
    pub fn of(&mut self, table: &mut DeltaTable, name: &str) -> Result<Option<i64>> {
        if let Some(known) = self.by_file.get(name) {
            return Ok(*known);
        }
        let known = last_known(table, name)?;
        self.by_file.insert(name.to_owned(), known);
        Ok(known)
    }
}

fn last_known(table: &mut DeltaTable, name: &str) -> Result<Option<i64>> {
    let read = table.file(name).and_then(|path| {
        let file = std::fs::File::open(&path).map_err(FactsError::reading(&path))?;
        ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(FactsError::parquet(&path))
    });
    let metadata = match read {
        Ok(metadata) => metadata,
        Err(error) => {
            table.refresh()?;
            let is_named = table.files().any(|file| file.path == name);
            return Err(if is_named { error } else { taken_out(table, name) });
        }
    };
    let last = |group: &RowGroupMetaData| {
        let chunk = group.columns().iter().find(|chunk| chunk.column_path().string() == KNOWN_AT)?;
        let Some(Statistics::Int64(statistics)) = chunk.statistics() else { return None };
        Some(statistics.max_opt()?.div_euclid(1_000))
    };
    let groups: Option<Vec<i64>> = metadata.metadata().row_groups().iter().map(last).collect();
    Ok(groups.and_then(|groups| groups.into_iter().max()))
}

pub(crate) fn taken_out(table: &DeltaTable, file: &str) -> FactsError {
    FactsError::Refused(format!(
        "another program tidied {} or erased members from it at the same time, and took {file} out; nothing of that was changed by \
         this one: run it again",
        table.root().display()
    ))
}
