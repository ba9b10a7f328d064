//! The pass that writes: selected rows in the order of the input, with the columns that rules add.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, bail};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter_record_batch;
use nearline_facts::WholeFile;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::rowset::RowSet;
use super::source::{Progress, Source};

/// The key of the lineage in the file's metadata.
pub(super) const LINEAGE_KEY: &str = "nearline.stratify";

/// Columns that rules add, one value per selected row, and which of those rows are written (all if none).
pub(super) struct Added {
    pub columns: Vec<(String, ArrayRef)>,
    pub kept: Option<Vec<bool>>,
}

/// No row group's turn comes any more.
const FAILED: usize = usize::MAX;

struct Turn {
    next: usize,
    writer: ArrowWriter<WholeFile>,
}

/// Writes beside the target and renames at the end: a file that is there is whole.
pub(super) fn write(
    source: &Source,
    rows: &RowSet,
    added: &Added,
    output: &Path,
    lineage: &str,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<()> {
    let schema = schema(source, added)?;
    let file = WholeFile::create(output)?;
    let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(source, lineage)))?;
    let turn = Mutex::new(Turn { next: 0, writer });
    let waiting = Condvar::new();
    let offsets = rows.offsets();
    let written = source.each("writing", threads, progress, |place, group| {
        let batches = (|| {
            let Some(selection) = rows.group(place).selection() else { return Ok(Vec::new()) };
            let mut offset = usize::try_from(offsets[place])?;
            let mut batches = Vec::new();
            for batch in source.read(group, &[], &[], Some(selection))? {
                let batch = batch?;
                let count = batch.num_rows();
                batches.push(extended(&schema, batch, added, offset)?);
                offset += count;
            }
            anyhow::Ok(batches)
        })();
        // Row groups are written in their order, whichever thread read them; a failure must not leave others waiting.
        let mut turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        while turn.next != place && turn.next != FAILED {
            turn = waiting.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
        if turn.next == FAILED {
            // Whoever failed says why.
            return Ok(());
        }
        let done = batches.and_then(|batches| {
            let mut batches = batches.iter();
            batches.try_for_each(|batch| turn.writer.write(batch)).context("the sample cannot be written")
        });
        turn.next = if done.is_ok() { place + 1 } else { FAILED };
        waiting.notify_all();
        done
    });
    written?;
    let turn = turn.into_inner().unwrap_or_else(PoisonError::into_inner);
    turn.writer.into_inner().context("the sample cannot be written")?.name()?;
    Ok(())
}

fn schema(source: &Source, added: &Added) -> anyhow::Result<Arc<Schema>> {
    let mut fields = source.schema().fields().to_vec();
    for (place, (name, column)) in added.columns.iter().enumerate() {
        if added.columns[..place].iter().any(|(before, _)| before == name) {
            bail!("two added columns are called `{name}`; name that of the weights otherwise");
        }
        if source.schema().field_with_name(name).is_ok() {
            bail!("the data has a column `{name}` already; name the added one otherwise");
        }
        fields.push(Arc::new(Field::new(name, column.data_type().clone(), false)));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, source.schema().metadata().clone())))
}

fn extended(
    schema: &Arc<Schema>,
    batch: RecordBatch,
    added: &Added,
    offset: usize,
) -> anyhow::Result<RecordBatch> {
    if added.columns.is_empty() {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let nullable: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let mut columns = batch.columns().to_vec();
    columns.extend(added.columns.iter().map(|(_, column)| column.slice(offset, rows)));
    let batch = RecordBatch::try_new(Arc::new(Schema::new(nullable)), columns)?;
    let batch = match &added.kept {
        Some(kept) => filter_record_batch(&batch, &BooleanArray::from(kept[offset..offset + rows].to_vec()))?,
        None => batch,
    };
    Ok(RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec())?)
}

/// Columns are encoded as the input's are: a dictionary that does not pay costs more than all the rest.
fn properties(source: &Source, lineage: &str) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_dictionary_enabled(true)
        .set_key_value_metadata(Some(vec![KeyValue::new(LINEAGE_KEY.to_owned(), lineage.to_owned())]));
    if let Some(group) = source.footer().row_groups().first() {
        for column in group.columns() {
            let encoded = column
                .encodings()
                .any(|e| matches!(e, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY));
            // A dictionary larger than a fifth of the data did not pay.
            builder = builder.set_column_dictionary_enabled(column.column_path().clone(), encoded);
        }
    }
    builder.build()
}
