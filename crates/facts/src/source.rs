//! Parquet files that make one table: a file, a folder with all below it, or a pattern.

mod find;
mod positioned;
mod read;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::{DataType, FieldRef, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use serde::Serialize;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{FactsError, Result};

pub use read::roots;
pub(crate) use read::{Read, selection};

/// One file, its footer read.
#[derive(Debug, Clone)]
pub(crate) struct DataFile {
    pub path: PathBuf,
    /// Its path below the table's folder: what the snapshot calls it.
    pub name: String,
    pub bytes: u64,
    pub metadata: ArrowReaderMetadata,
}

impl DataFile {
    /// Reads columns as the types that the table has them in: files may say the times of one column in different zones.
    fn read_as(&mut self, table: &[FieldRef]) -> Result<()> {
        let other = |field: &FieldRef| {
            let known = table.iter().find(|known| known.name() == field.name())?;
            let differs = known.data_type() != field.data_type();
            differs.then(|| Arc::new(field.as_ref().clone().with_data_type(known.data_type().clone())))
        };
        let own = self.metadata.schema().fields();
        if own.iter().all(|field| other(field).is_none()) {
            return Ok(());
        }
        let fields: Vec<FieldRef> =
            own.iter().map(|field| other(field).unwrap_or_else(|| Arc::clone(field))).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        self.metadata = ArrowReaderMetadata::try_new(Arc::clone(self.metadata.metadata()), options)
            .map_err(FactsError::parquet(&self.path))?;
        Ok(())
    }
}

/// One row group of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    /// Its place among all row groups.
    pub number: usize,
    pub file: usize,
    pub place: usize,
    pub rows: usize,
    /// The number of its first row among all rows of the table.
    pub first_row: u64,
}

impl Group {
    /// Something that is numbered as row groups are, to be shared out among threads.
    pub fn numbered(number: usize) -> Self {
        Self { number, file: 0, place: 0, rows: 0, first_row: 0 }
    }
}

/// Files whose rows make one table.
#[derive(Debug, Clone)]
pub struct Source {
    pub(crate) files: Vec<DataFile>,
    pub(crate) groups: Vec<Group>,
    /// The columns of all files; a column that some file lacks is null there.
    pub(crate) fields: Vec<FieldRef>,
}

/// Which data were read: equal snapshots are equal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// How many files.
    pub files: usize,
    /// Their rows.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// XXH3-128, in hexadecimal, of every file's name, size, and footer.
    pub digest: String,
}

impl Source {
    /// Opens the files of a table and reads their footers.
    ///
    /// # Errors
    /// Nothing there, files that are no Parquet, a column of two types or twice in one file.
    pub fn open(paths: &[PathBuf]) -> Result<Self> {
        let found = find::files(paths)?;
        let mut source = Self { files: Vec::new(), groups: Vec::new(), fields: Vec::new() };
        let mut first_row = 0;
        for (path, name) in found {
            let mut file = open(path, name)?;
            source.merge(&file)?;
            file.read_as(&source.fields)?;
            for (place, group) in file.metadata.metadata().row_groups().iter().enumerate() {
                let rows = usize::try_from(group.num_rows()).map_err(|_| {
                    FactsError::Refused(format!("{} has a negative number of rows", file.path.display()))
                })?;
                let number = source.groups.len();
                source.groups.push(Group { number, file: source.files.len(), place, rows, first_row });
                first_row += rows as u64;
            }
            source.files.push(file);
        }
        Ok(source)
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows as u64).sum()
    }

    /// The files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The names of the columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.name().as_str())
    }

    /// The files that lack a column.
    pub fn lacking(&self, column: &str) -> usize {
        self.files.iter().filter(|file| file.metadata.schema().field_with_name(column).is_err()).count()
    }

    /// Which data these are.
    pub fn snapshot(&self) -> Snapshot {
        let mut digest = Xxh3::new();
        for file in &self.files {
            digest.update(file.name.as_bytes());
            digest.update(&[0]);
            digest.update(&file.bytes.to_le_bytes());
            for group in file.metadata.metadata().row_groups() {
                digest.update(&group.num_rows().to_le_bytes());
                for chunk in group.columns() {
                    digest.update(chunk.column_path().string().as_bytes());
                    let (start, length) = chunk.byte_range();
                    digest.update(&start.to_le_bytes());
                    digest.update(&length.to_le_bytes());
                    if let Some(statistics) = chunk.statistics() {
                        digest.update(statistics.min_bytes_opt().unwrap_or_default());
                        digest.update(statistics.max_bytes_opt().unwrap_or_default());
                        digest.update(&statistics.null_count_opt().unwrap_or_default().to_le_bytes());
                    }
                }
            }
        }
        Snapshot {
            files: self.files.len(),
            rows: self.rows(),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            digest: format!("{:032x}", digest.digest128()),
        }
    }

    /// Compressed bytes of some columns, each counted once.
    pub(crate) fn compressed_bytes(&self, columns: &[&str]) -> u64 {
        let groups = self.groups.iter();
        let chunks = groups.flat_map(|group| {
            self.files[group.file].metadata.metadata().row_group(group.place).columns().iter()
        });
        let wanted = chunks.filter(|chunk| {
            chunk.column_path().parts().first().is_some_and(|name| columns.contains(&name.as_str()))
        });
        wanted.map(|chunk| u64::try_from(chunk.compressed_size()).unwrap_or_default()).sum()
    }

    /// A column's field, or an error that names the columns there are.
    pub(crate) fn field(&self, column: &str) -> Result<&FieldRef> {
        self.fields.iter().find(|field| field.name() == column).ok_or_else(|| {
            let known: Vec<&str> = self.columns().collect();
            let reason = format!("is not there; there are {}", known.join(", "));
            FactsError::column(&self.files[0].path, column, reason)
        })
    }

    /// A column that every file must have.
    pub(crate) fn required(&self, column: &str) -> Result<&FieldRef> {
        let field = self.field(column)?;
        let without = self.files.iter().find(|file| file.metadata.schema().field_with_name(column).is_err());
        match without {
            Some(file) => Err(FactsError::column(&file.path, column, "is not there, but in other files")),
            None => Ok(field),
        }
    }

    fn merge(&mut self, file: &DataFile) -> Result<()> {
        let fields = file.metadata.schema().fields();
        for (place, field) in fields.iter().enumerate() {
            if fields.iter().take(place).any(|other| other.name() == field.name()) {
                return Err(FactsError::column(
                    &file.path,
                    field.name(),
                    "is there twice; name one otherwise",
                ));
            }
            let known = self.fields.iter().find(|known| known.name() == field.name());
            match known {
                None => {
                    let field = field.as_ref().clone().with_nullable(true);
                    self.fields.push(Arc::new(field));
                }
                Some(known) if same_type(known.data_type(), field.data_type()) => {}
                Some(known) => {
                    let reason = format!(
                        "is {} here and {} in other files; write it as one type",
                        field.data_type(),
                        known.data_type()
                    );
                    return Err(FactsError::column(&file.path, field.name(), reason));
                }
            }
        }
        Ok(())
    }
}

fn open(path: PathBuf, name: String) -> Result<DataFile> {
    let bytes = std::fs::metadata(&path).map_err(FactsError::reading(&path))?.len();
    let file = File::open(&path).map_err(FactsError::reading(&path))?;
    let metadata = ArrowReaderMetadata::load(
        &file,
        ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Skip),
    );
    let metadata = metadata.and_then(|metadata| viewed(Arc::clone(metadata.metadata()), &metadata));
    Ok(DataFile { metadata: metadata.map_err(FactsError::parquet(&path))?, path, name, bytes })
}

/// Metadata of a file that is read as another one is. Text is read as views: short ones hold their bytes in place, and a page
/// is not copied. Dictionaries are read as their values: those of several files need not fit into one.
fn viewed(
    metadata: Arc<ParquetMetaData>,
    like: &ArrowReaderMetadata,
) -> parquet::errors::Result<ArrowReaderMetadata> {
    ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::new().with_schema(views(like)))
}

fn views(metadata: &ArrowReaderMetadata) -> arrow_schema::SchemaRef {
    let fields = metadata.schema().fields().iter().map(|field| {
        let viewed = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Dictionary(_, values) if is_text(values) => DataType::Utf8View,
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            other => other.clone(),
        };
        Arc::new(field.as_ref().clone().with_data_type(viewed))
    });
    let fields: Vec<FieldRef> = fields.collect();
    Arc::new(Schema::new(fields))
}

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Times in two zones are one type: they are read as instants, in the zone of the first file.
fn same_type(one: &DataType, other: &DataType) -> bool {
    match (one, other) {
        (DataType::Timestamp(unit, one), DataType::Timestamp(other_unit, other)) => {
            unit == other_unit && one.is_some() == other.is_some()
        }
        _ => one == other,
    }
}

/// Whether a path is that of a file or folder that readers of tables pass over.
pub(crate) fn is_hidden(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with(['.', '_']))
}
