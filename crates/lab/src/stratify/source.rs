//! The files of a job: their row groups, read in any order by several threads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, bail};
use arrow_array::RecordBatch;
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};
use indicatif::{ProgressBar, ProgressStyle};
use nearline_facts::roots;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::file::metadata::ParquetMetaData;

/// Rows decoded at a time.
const BATCH: usize = 16_384;

/// What a person at a terminal sees.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar on standard error if that is a terminal, and nothing otherwise.
    pub fn new() -> Self {
        if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{msg:12} {bar:40} {pos}/{len} row groups, {elapsed}");
        let bar = ProgressBar::new(0);
        Self(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)))
    }

    fn begin(&self, what: &'static str, groups: usize) {
        self.0.reset();
        self.0.set_length(groups as u64);
        self.0.set_message(what);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

struct InputFile {
    path: PathBuf,
    metadata: Arc<ParquetMetaData>,
}

/// One row group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    file: usize,
    place: usize,
    /// Its rows.
    pub rows: usize,
    /// The number of its first row among all rows.
    pub start: u64,
}

/// The batches of a row group; an error names the file.
pub(super) struct Batches<'a> {
    path: &'a Path,
    reader: ParquetRecordBatchReader,
}

impl Iterator for Batches<'_> {
    type Item = anyhow::Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.with_context(|| format!("{} cannot be read", self.path.display())))
    }
}

/// The type of a dictionary's values; any other is its own.
pub(super) fn values(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        other => other,
    }
}

/// The files of a job.
pub struct Source {
    files: Vec<InputFile>,
    schema: SchemaRef,
    groups: Vec<Group>,
}

impl Source {
    /// Opens files of one schema and reads their footers.
    ///
    /// # Errors
    /// Files that are no Parquet, and files whose columns differ from the first one's.
    pub fn open(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let mut source = Self { files: Vec::new(), schema: Arc::new(Schema::empty()), groups: Vec::new() };
        let mut start = 0;
        for (file, path) in paths.iter().enumerate() {
            let opened = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
            let read = ArrowReaderMetadata::load(&opened, ArrowReaderOptions::new())
                .with_context(|| format!("{} is no Parquet file", path.display()))?;
            if file == 0 {
                source.schema = Arc::clone(read.schema());
            } else if source.schema.fields() != read.schema().fields() {
                bail!("the columns of {} differ from those of {}", path.display(), paths[0].display());
            }
            let metadata = Arc::clone(read.metadata());
            for (place, group) in metadata.row_groups().iter().enumerate() {
                let rows =
                    usize::try_from(group.num_rows()).context("a row group has a negative number of rows")?;
                source.groups.push(Group { file, place, rows, start });
                start += rows as u64;
            }
            source.files.push(InputFile { path: path.clone(), metadata });
        }
        Ok(source)
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// All rows.
    pub fn rows(&self) -> u64 {
        self.groups.iter().map(|group| group.rows as u64).sum()
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Paths, rows and bytes of the files.
    pub fn files(&self) -> impl Iterator<Item = (&Path, i64, u64)> {
        self.files.iter().map(|file| {
            let bytes = std::fs::metadata(&file.path).map_or(0, |metadata| metadata.len());
            (file.path.as_path(), file.metadata.file_metadata().num_rows(), bytes)
        })
    }

    /// The footer of the first file.
    pub(super) fn footer(&self) -> &ParquetMetaData {
        &self.files[0].metadata
    }

    /// A column's type.
    pub(super) fn data_type(&self, column: &str) -> anyhow::Result<&DataType> {
        match self.schema.field_with_name(column) {
            Ok(field) => Ok(field.data_type()),
            Err(_) => {
                let known: Vec<&str> =
                    self.schema.fields().iter().map(|field| field.name().as_str()).collect();
                bail!("there is no column `{column}`; there are {}", known.join(", "))
            }
        }
    }

    /// The schema with text columns of these names as dictionaries, which is how most files store them, and all other
    /// dictionaries as their values; none if that is the files' own.
    fn with_dictionaries(&self, columns: &[&str]) -> Option<SchemaRef> {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let plain = DataType::Utf8;
        let fields = self.schema.fields().iter().map(|field| {
            let own = field.data_type();
            let values = values(own);
            let text = matches!(values, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
            let read = match own {
                _ if text && columns.contains(&field.name().as_str()) => &dictionary,
                DataType::Dictionary(_, _) if text => &plain,
                _ => values,
            };
            if read == own {
                Arc::clone(field)
            } else {
                Arc::new(field.as_ref().clone().with_data_type(read.clone()))
            }
        });
        let fields: Vec<FieldRef> = fields.collect();
        let is_own = fields.iter().zip(self.schema.fields()).all(|(field, own)| Arc::ptr_eq(field, own));
        (!is_own).then(|| Arc::new(Schema::new(fields)))
    }

    /// Reads some columns of a row group, those of `dictionaries` as such; all columns, as they are, if none is named.
    pub(super) fn read(
        &self,
        group: &Group,
        columns: &[&str],
        dictionaries: &[&str],
        selection: Option<RowSelection>,
    ) -> anyhow::Result<Batches<'_>> {
        let file = &self.files[group.file];
        // Opened anew: threads that share a handle would share its position.
        let opened =
            File::open(&file.path).with_context(|| format!("{} cannot be opened", file.path.display()))?;
        let mut options = ArrowReaderOptions::new();
        if !columns.is_empty()
            && let Some(schema) = self.with_dictionaries(dictionaries)
        {
            options = options.with_schema(schema);
        }
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&file.metadata), options)
            .with_context(|| format!("{} cannot be read", file.path.display()))?;
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(opened, metadata)
            .with_row_groups(vec![group.place])
            .with_batch_size(BATCH.min(group.rows.max(1)));
        if !columns.is_empty() {
            let mask = roots(builder.parquet_schema(), columns);
            builder = builder.with_projection(mask);
        }
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        let reader = builder.build().with_context(|| format!("{} cannot be read", file.path.display()))?;
        Ok(Batches { path: &file.path, reader })
    }

    /// Does something to every row group, on several threads; the results are in the groups' order.
    pub(super) fn each<T: Send>(
        &self,
        what: &'static str,
        threads: usize,
        progress: &Progress,
        work: impl Fn(usize, &Group) -> anyhow::Result<T> + Sync,
    ) -> anyhow::Result<Vec<T>> {
        progress.begin(what, self.groups.len());
        let next = AtomicUsize::new(0);
        let (next, work) = (&next, &work);
        let worker = move || {
            let mut done = Vec::new();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(group) = self.groups.get(place) else { return Ok(done) };
                match work(place, group) {
                    Ok(result) => done.push((place, result)),
                    Err(error) => {
                        next.store(self.groups.len(), Ordering::Relaxed);
                        return Err(error);
                    }
                }
                progress.0.inc(1);
            }
        };
        let results: Vec<anyhow::Result<Vec<(usize, T)>>> = std::thread::scope(|scope| {
            let handles: Vec<_> =
                (0..threads.clamp(1, self.groups.len().max(1))).map(|_| scope.spawn(worker)).collect();
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
