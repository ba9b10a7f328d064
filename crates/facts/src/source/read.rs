//! Reading row groups, by several threads.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::{ColumnChunkMask, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use parquet::schema::types::SchemaDescriptor;

use super::positioned::PositionedFile;
use super::{DataFile, Group, Source, viewed};
use crate::error::{FactsError, Result};

/// Rows decoded at a time: a few columns of them stay in the cache of one core.
const BATCH: usize = 8_192;

/// What is read of a row group.
#[derive(Debug)]
pub(crate) struct Read<'a> {
    /// The columns; all if none.
    pub columns: Vec<&'a str>,
    /// The rows; all if none. Where the file tells where its pages begin, those without any are passed over.
    pub selection: Option<RowSelection>,
    /// Rows decoded at a time.
    pub batch: usize,
}

impl Default for Read<'_> {
    fn default() -> Self {
        Self { columns: Vec::new(), selection: None, batch: BATCH }
    }
}

/// The mask of some columns of a table, each with all below it. Paths are not taken apart: a column's name may have dots.
pub fn roots(schema: &SchemaDescriptor, columns: &[&str]) -> ProjectionMask {
    let fields = schema.root_schema().get_fields().iter().enumerate();
    let wanted = fields.filter(|(_, field)| columns.contains(&field.name())).map(|(place, _)| place);
    ProjectionMask::roots(schema, wanted)
}

impl Source {
    /// Reads some columns of a row group; those that its file lacks are left out.
    pub(crate) fn read(&self, group: &Group, read: Read<'_>) -> Result<ParquetRecordBatchReader> {
        let file = &self.files[group.file];
        let opened = File::open(&file.path).map_err(FactsError::reading(&file.path))?;
        let opened = PositionedFile::new(opened, file.bytes);
        let (metadata, place) = match &read.selection {
            Some(_) => {
                let located = located(file, &opened, group.place, &read.columns);
                (located.map_err(FactsError::parquet(&file.path))?, 0)
            }
            None => (file.metadata.clone(), group.place),
        };
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata)
            .with_row_groups(vec![place])
            .with_batch_size(read.batch);
        if !read.columns.is_empty() {
            let mask = roots(builder.parquet_schema(), &read.columns);
            builder = builder.with_projection(mask);
        }
        if let Some(selection) = read.selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(FactsError::parquet(&file.path))
    }

    /// The path of a row group's file.
    pub(crate) fn path(&self, group: &Group) -> &std::path::Path {
        &self.files[group.file].path
    }

    /// The least value of an integer or time column in a row group, in the file's unit, if its footer says so.
    pub(crate) fn least(&self, group: &Group, column: &str) -> Option<i64> {
        let chunks = self.files[group.file].metadata.metadata().row_group(group.place).columns();
        let chunk = chunks.iter().find(|chunk| chunk.column_path().string() == column)?;
        match chunk.statistics()? {
            Statistics::Int64(statistics) => statistics.min_opt().copied(),
            _ => None,
        }
    }

    /// The row groups that hold some rows of the table, and which of theirs.
    pub(crate) fn groups_within(&self, rows: &Range<u64>) -> Vec<(&Group, Range<usize>)> {
        let within = |group: &Group| {
            let clamp =
                |row: u64| (row.max(group.first_row) - group.first_row).min(group.rows as u64) as usize;
            clamp(rows.start)..clamp(rows.end)
        };
        let groups = self.groups.iter().map(|group| (group, within(group)));
        groups.filter(|(_, within)| !within.is_empty()).collect()
    }

    /// Does something to each of some row groups, on several threads; the results are in the groups' order.
    pub(crate) fn each<T: Send>(
        groups: &[&Group],
        threads: usize,
        work: impl Fn(&Group) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let next = Arc::new(AtomicUsize::new(0));
        let worker = || {
            let mut done = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(group) = groups.get(place) else { return Ok(done) };
                match work(group) {
                    Ok(result) => done.push((place, result)),
                    Err(error) => {
                        // The others need not go on.
                        next.store(groups.len(), Ordering::Relaxed);
                        return Err(error);
                    }
                }
            }
        };
        let results: Vec<Result<Vec<(usize, T)>>> = std::thread::scope(|scope| {
            let handles: Vec<_> =
                (0..threads.clamp(1, groups.len().max(1))).map(|_| scope.spawn(worker)).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut all = Vec::new();
        for result in results {
            all.extend(result?);
        }
        all.sort_by_key(|(place, _)| *place);
        Ok(all.into_iter().map(|(_, result)| result).collect())
    }
}

/// The metadata of one row group, with where the pages of some columns begin. They are read anew for each use: those of all
/// files together are large.
fn located(
    file: &DataFile,
    opened: &PositionedFile,
    place: usize,
    columns: &[&str],
) -> parquet::errors::Result<ArrowReaderMetadata> {
    let whole = file.metadata.metadata();
    let leaves = file.metadata.parquet_schema().columns().iter().enumerate();
    let wanted = leaves.filter(|(_, leaf)| {
        columns.is_empty() || leaf.path().parts().first().is_some_and(|name| columns.contains(&name.as_str()))
    });
    let alone = ParquetMetaData::new(whole.file_metadata().clone(), vec![whole.row_group(place).clone()]);
    let mut reader = ParquetMetaDataReader::new_with_metadata(alone)
        .with_column_index_policy(PageIndexPolicy::Skip)
        .with_offset_index_policy(PageIndexPolicy::Optional)
        .with_offset_index_mask(ColumnChunkMask::columns(wanted.map(|(number, _)| number)));
    reader.read_page_indexes(opened)?;
    viewed(Arc::new(reader.finish()?), &file.metadata)
}

/// Ranges of rows of the table as a selection within a row group.
pub(crate) fn selection(group: &Group, rows: &[Range<u64>]) -> RowSelection {
    let mut selectors = Vec::with_capacity(rows.len() * 2);
    let mut at = group.first_row;
    for range in rows {
        if range.start > at {
            selectors.push(RowSelector::skip((range.start - at) as usize));
        }
        selectors.push(RowSelector::select((range.end - range.start) as usize));
        at = range.end;
    }
    RowSelection::from(selectors)
}
