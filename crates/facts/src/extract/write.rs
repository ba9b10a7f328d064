//! The file of the result.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::{FieldRef, Schema};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::report::Lineage;
use crate::columns::STATUS;
use crate::error::Result;
use crate::layout::Layout;
use crate::moments::Unit;
use crate::source::Source;
use crate::table_writer::{TableWriter, encoded_as};

/// The key of the lineage in the file's metadata.
const LINEAGE_KEY: &str = "nearline.extract";

pub(super) fn create(
    path: &Path,
    facts: &Source,
    labels: &Source,
    layout: &Layout,
    lineage: &Lineage,
    unit: Unit,
) -> Result<TableWriter> {
    let mut fields: Vec<FieldRef> = labels.fields.clone();
    fields.extend(layout.fields(unit).into_iter().map(Arc::new));
    TableWriter::create(path, &Arc::new(Schema::new(fields)), properties(facts, labels, layout, lineage))
}

fn properties(facts: &Source, labels: &Source, layout: &Layout, lineage: &Lineage) -> WriterProperties {
    let lineage = serde_json::to_string(lineage).expect("a lineage is text and numbers");
    let mut builder = crate::table_writer::properties(Some((LINEAGE_KEY, lineage)));
    for column in labels.columns() {
        builder = encoded_as(builder, labels, column, column);
    }
    let mut statuses = vec![STATUS];
    for column in &layout.columns {
        builder = encoded_as(builder, facts, &column.source, &column.name);
        statuses.extend(column.status.as_deref());
    }
    for status in statuses {
        builder = builder.set_column_dictionary_enabled(ColumnPath::from(status), true);
    }
    builder.build()
}
