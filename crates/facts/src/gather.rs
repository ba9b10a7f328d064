//! The features of the facts that answer labels: only those rows are kept, and only after it is known which they are.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::take::take;

use crate::error::{FactsError, Result};
use crate::source::{Group, Read, Source, selection};
use crate::sweep::Wanted;

/// If fewer than one row in so many is wanted, runs of rows between them are not decoded at all.
const SPARSE: usize = 256;

/// Columns of the facts at the rows that answer labels.
pub(crate) struct Gathered {
    /// By a label's place among the cuts, the place of its row.
    places: Vec<u32>,
    columns: Vec<ArrayRef>,
}

impl Gathered {
    /// Reads columns at some rows, which are ascending.
    pub fn read(facts: &Source, wanted: Wanted, columns: &[&str], threads: usize) -> Result<Self> {
        let Wanted { rows, places } = wanted;
        let types = columns.iter().map(|column| Ok(facts.field(column)?.data_type().clone()));
        let types: Vec<DataType> = types.collect::<Result<_>>()?;
        let within = |group: &Group| {
            let place = |row: u64| rows.partition_point(|wanted| *wanted < row);
            &rows[place(group.first_row)..place(group.first_row + group.rows as u64)]
        };
        let groups: Vec<&Group> = facts.groups.iter().filter(|group| !within(group).is_empty()).collect();
        let parts = if columns.is_empty() {
            Vec::new()
        } else {
            Source::each(&groups, threads, |group| of_group(facts, group, within(group), columns, &types))?
        };
        let merged = types.iter().enumerate().map(|(column, kind)| {
            let parts: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
            if parts.is_empty() {
                return Ok(new_null_array(kind, 0));
            }
            concat(&parts)
                .map_err(|error| FactsError::column(&facts.files[0].path, columns[column], error.to_string()))
        });
        let columns = merged.collect::<Result<_>>()?;
        Ok(Self { places, columns })
    }

    /// The place of the row that answers the label of a cut.
    pub fn place(&self, cut: u32) -> Option<u32> {
        let place = self.places[cut as usize];
        (place != Wanted::NOWHERE).then_some(place)
    }

    /// The columns at some places; null where there is none.
    pub fn at(&self, places: &UInt32Array) -> Result<Vec<ArrayRef>> {
        self.columns.iter().map(|column| taken(column, places)).collect()
    }
}

/// An array at some places; null where there is none.
pub(crate) fn taken(array: &ArrayRef, places: &UInt32Array) -> Result<ArrayRef> {
    take(array, places, None)
        .map_err(|error| FactsError::Refused(format!("a feature cannot be put together: {error}")))
}

fn of_group(
    facts: &Source,
    group: &Group,
    wanted: &[u64],
    columns: &[&str],
    types: &[DataType],
) -> Result<Vec<ArrayRef>> {
    let path = facts.path(group);
    let schema = facts.files[group.file].metadata.schema();
    let there: Vec<&str> =
        columns.iter().copied().filter(|column| schema.field_with_name(column).is_ok()).collect();
    if there.is_empty() {
        return Ok(types.iter().map(|kind| new_null_array(kind, wanted.len())).collect());
    }
    let selected = wanted.len() * SPARSE < group.rows;
    let runs = wanted.chunk_by(|one, other| one + 1 == *other).map(|run| run[0]..run[0] + run.len() as u64);
    let selection = selected.then(|| selection(group, &runs.collect::<Vec<_>>()));
    let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); columns.len()];
    let (mut first, mut rest) = (group.first_row, wanted);
    for batch in facts.read(group, Read { columns: there, selection, ..Read::default() })? {
        let batch = batch.map_err(FactsError::parquet(path))?;
        let after = first + batch.num_rows() as u64;
        let (now, later) = rest.split_at(rest.partition_point(|row| *row < after));
        let places = (!selected).then(|| now.iter().map(|row| (row - first) as u32).collect::<UInt32Array>());
        (first, rest) = (after, if selected { rest } else { later });
        for (part, column) in parts.iter_mut().zip(columns) {
            let Some(array) = batch.column_by_name(column) else { continue };
            let taken = match &places {
                None => std::sync::Arc::clone(array),
                Some(places) if places.is_empty() => continue,
                Some(places) => take(array, places, None)
                    .map_err(|error| FactsError::column(path, column, error.to_string()))?,
            };
            part.push(compact(taken));
        }
    }
    let merged = parts.iter().zip(types).zip(columns).map(|((parts, kind), column)| {
        if parts.is_empty() {
            return Ok(new_null_array(kind, wanted.len()));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        concat(&parts).map_err(|error| FactsError::column(path, column, error.to_string()))
    });
    merged.collect()
}

/// Views would keep whole pages alive for a few of their texts.
pub(crate) fn compact(array: ArrayRef) -> ArrayRef {
    match array.as_string_view_opt() {
        Some(views) if !views.data_buffers().is_empty() => std::sync::Arc::new(views.gc()),
        _ => array,
    }
}
