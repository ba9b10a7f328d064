//! A Parquet file that is whole or not there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Date64Type};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{
    ArrowSchemaConverter, ArrowWriter, add_encoded_arrow_schema_to_metadata, parquet_to_arrow_schema,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::error::{FactsError, Result};
use crate::source::{Group, Source, is_text};
use crate::whole_file::WholeFile;

const DAY_MS: i64 = 86_400_000;

/// Refuses to write a file anew that has a column which this program does not know: it would be lost.
pub(crate) fn nothing_strange(path: &Path, found: &SchemaRef, known: &SchemaRef) -> Result<()> {
    match found.fields().iter().find(|field| known.field_with_name(field.name()).is_err()) {
        None => Ok(()),
        Some(field) => {
            let reason = "is not known to this program, and would be lost; use the newer one that wrote it";
            Err(FactsError::column(path, field.name(), reason))
        }
    }
}

/// Writes beside the target and renames at the end.
pub(crate) struct TableWriter {
    path: PathBuf,
    schema: SchemaRef,
    writer: ArrowWriter<WholeFile>,
}

impl TableWriter {
    pub fn create(path: &Path, schema: &SchemaRef, properties: WriterProperties) -> Result<Self> {
        let file = WholeFile::create(path)?;
        let schema = &in_days(schema);
        let properties = typed(schema, properties).map_err(FactsError::unwritten(path))?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, SchemaRef::clone(schema), options)
            .map_err(FactsError::unwritten(path))?;
        Ok(Self { path: path.to_owned(), schema: SchemaRef::clone(schema), writer })
    }

    /// Writes the columns of some rows of a batch, and further ones behind them; a column that the batch lacks is null.
    pub fn write(&mut self, batch: &RecordBatch, added: Vec<ArrayRef>) -> Result<()> {
        let own = self.schema.fields().iter().take(self.schema.fields().len() - added.len()).map(|field| {
            let column = batch.column_by_name(field.name()).map(ArrayRef::clone);
            column.unwrap_or_else(|| arrow_array::new_null_array(field.data_type(), batch.num_rows()))
        });
        let columns: Vec<ArrayRef> = own.chain(added).map(day_numbers).collect();
        let whole = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)
            .map_err(|error| FactsError::Refused(format!("the result cannot be put together: {error}")))?;
        self.writer.write(&whole).map_err(FactsError::unwritten(&self.path))
    }

    /// Gives the bytes of the file.
    pub fn finish(self) -> Result<u64> {
        self.close()?.name()
    }

    /// The same, when the file is on disk and not only in the operating system's hands.
    pub fn finish_synced(self) -> Result<u64> {
        let file = self.close()?;
        file.sync()?;
        file.name()
    }

    fn close(self) -> Result<WholeFile> {
        let Self { path, writer, .. } = self;
        writer.into_inner().map_err(FactsError::unwritten(&path))
    }
}

/// Parquet has no dates in milliseconds: they are written as days, since as bare integers no other reader would know them.
fn in_days(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Date64 => Arc::new(field.as_ref().clone().with_data_type(DataType::Date32)),
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// A column as [`in_days`] has it.
fn day_numbers(column: ArrayRef) -> ArrayRef {
    match column.as_primitive_opt::<Date64Type>() {
        Some(dates) => Arc::new(dates.unary::<_, Date32Type>(|ms| ms.div_euclid(DAY_MS) as i32)),
        None => column,
    }
}

/// Types are Parquet's own, and a schema of Arrow's is added where those alone would not give the columns back. How this
/// program holds text in memory is no reader's business.
fn typed(schema: &Schema, mut properties: WriterProperties) -> parquet::errors::Result<WriterProperties> {
    let fields = schema.fields().iter().map(|field| {
        let written = match field.data_type() {
            data_type if is_text(data_type) => DataType::Utf8,
            DataType::Dictionary(_, values) if is_text(values) => DataType::Utf8,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(written)
    });
    let wanted = Schema::new(fields.collect::<Vec<Field>>());
    let alone = parquet_to_arrow_schema(&ArrowSchemaConverter::new().convert(&wanted)?, None)?;
    let mut both = wanted.fields().iter().zip(alone.fields());
    if both.any(|(wanted, alone)| wanted.data_type() != alone.data_type()) {
        add_encoded_arrow_schema_to_metadata(&wanted, &mut properties);
    }
    Ok(properties)
}

/// How tables are written: compressed, and with a dictionary only where [`encoded_as`] or the caller asks for one.
pub(crate) fn properties(metadata: Option<(&str, String)>) -> WriterPropertiesBuilder {
    let metadata = metadata.map(|(key, value)| vec![KeyValue::new(key.to_owned(), value)]);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_dictionary_enabled(false)
        .set_key_value_metadata(metadata)
}

/// Encodes a column as a source's is: a dictionary that does not pay costs more than all the rest.
pub(crate) fn encoded_as(
    mut builder: WriterPropertiesBuilder,
    source: &Source,
    column: &str,
    name: &str,
) -> WriterPropertiesBuilder {
    let Some(group) = source.groups.iter().max_by_key(|group| group.rows) else { return builder };
    let numbers = source.field(column).is_ok_and(|field| {
        matches!(field.data_type(), DataType::Float32 | DataType::Float64 | DataType::Timestamp(_, _))
    });
    for chunk in chunks(source, group, column) {
        let mut parts = chunk.column_path().parts().to_vec();
        name.clone_into(&mut parts[0]);
        builder =
            builder.set_column_dictionary_enabled(ColumnPath::new(parts), has_dictionary(chunk) && !numbers);
    }
    builder
}

/// Whether a source's column has a dictionary.
pub(crate) fn is_of_few_values(source: &Source, column: &str) -> bool {
    let group = source.groups.iter().max_by_key(|group| group.rows);
    group.is_some_and(|group| chunks(source, group, column).any(has_dictionary))
}

fn chunks<'a>(
    source: &'a Source,
    group: &Group,
    column: &'a str,
) -> impl Iterator<Item = &'a ColumnChunkMetaData> {
    let chunks = source.files[group.file].metadata.metadata().row_group(group.place).columns();
    chunks
        .iter()
        .filter(move |chunk| chunk.column_path().parts().first().is_some_and(|first| first == column))
}

fn has_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    chunk.encodings().any(|e| matches!(e, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_file_with_a_column_that_is_not_known_is_not_written_anew() {
        let of = |names: &[&str]| -> SchemaRef {
            let fields = names.iter().map(|name| Field::new(*name, DataType::Int64, true));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        };
        let (path, known) = (Path::new("p00000-1.parquet"), of(&["member", "position", "payload"]));
        nothing_strange(path, &of(&["position", "member"]), &known).expect("a column less is null");
        let refused = nothing_strange(path, &of(&["member", "mood"]), &known).expect_err("it would be lost");
        let said = refused.to_string();
        assert!(said.contains("p00000-1.parquet") && said.contains("mood"), "{said}");
    }
}
