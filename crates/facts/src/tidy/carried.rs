//! What old files know that nothing newer tells: the newest fact of each member, which stays when they go.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Form, Tidying};
use crate::columns::{MEMBER, POSITION};
use crate::delta::{Add, DeltaTable};
use crate::error::{FactsError, Result};
use crate::table_writer::{TableWriter, nothing_strange};

impl Tidying {
    /// Writes the newest fact of each member in files that go into one that stays. None where that would be all of them.
    pub(super) fn carry(
        &self,
        table: &DeltaTable,
        form: &Form<'_>,
        old: &[Add],
        nonce: &str,
    ) -> Result<Option<Add>> {
        let mut newest: HashMap<String, i64> = HashMap::new();
        each_batch(table, form, old, |batch| {
            let positions = batch[POSITION].as_primitive::<Int64Type>();
            for (row, member) in batch[MEMBER].as_string::<i32>().iter().enumerate() {
                let Some(member) = member else { continue };
                let position = positions.value(row);
                match newest.get_mut(member) {
                    Some(last) => *last = position.max(*last),
                    None => drop(newest.insert(member.to_owned(), position)),
                }
            }
            Ok(())
        })?;
        let rows = newest.len() as u64;
        if rows == old.iter().map(Add::rows).sum::<u64>() {
            return Ok(None);
        }
        let name = (form.name)("", "", nonce);
        let mut writer = TableWriter::create(&table.root().join(&name), &form.schema, (form.properties)())?;
        each_batch(table, form, old, |batch| {
            let positions = batch[POSITION].as_primitive::<Int64Type>();
            let members = batch[MEMBER].as_string::<i32>();
            // Once, should it be there twice.
            let mut is_newest = |row: usize| {
                let is_newest = newest.get(members.value(row)) == Some(&positions.value(row));
                is_newest && newest.remove(members.value(row)).is_some()
            };
            let keep: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_newest(row))).collect();
            let kept =
                filter_record_batch(batch, &keep).map_err(|error| FactsError::Refused(error.to_string()))?;
            writer.write(&kept, Vec::new())
        })?;
        let bytes = writer.finish_synced()?;
        table.location().keep(&name)?;
        Ok(Some(Add::arranged(name, bytes, rows, self.now_ms)))
    }
}

fn each_batch(
    table: &DeltaTable,
    form: &Form<'_>,
    files: &[Add],
    mut with: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    for file in files {
        let path = table.file(&file.path)?;
        let file = std::fs::File::open(&path).map_err(FactsError::reading(&path))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(FactsError::parquet(&path))?;
        nothing_strange(&path, builder.schema(), &form.schema)?;
        for batch in builder.build().map_err(FactsError::parquet(&path))? {
            with(&batch.map_err(FactsError::parquet(&path))?)?;
        }
    }
    Ok(())
}
