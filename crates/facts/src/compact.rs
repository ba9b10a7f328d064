//! Facts in the order of their members: what few members' facts can be read from, and all of them as well.
//!
//! Rows go into buckets by a hash of their member, each bucket is sorted by member and position and written with small
//! pages, and the index is made. Two passes, each holding one bucket per thread.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::schema::types::ColumnPath;
use serde::Serialize;

use crate::columns::{MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::gather::taken;
use crate::index::{build_index, hashes};
use crate::labels::positions;
use crate::members::Members;
use crate::source::{Group, Read, Source, is_text};
use crate::table_writer::{TableWriter, encoded_as, is_of_few_values, properties};

/// Rows of one bucket, about: it is sorted in memory.
const ROWS_PER_BUCKET: u64 = 1 << 20;
/// The number of a row in the table as it was: facts that agree in member and position keep their order.
const ROW: &str = "nearline_row";
/// Rows of a page unless something else is said: the facts of a member are in one or two.
pub const PAGE_ROWS: usize = 256;

/// What is to be compacted.
#[derive(Debug, Clone)]
pub struct Compaction {
    /// The facts: files, folders, or patterns.
    pub facts: Vec<PathBuf>,
    /// The folder of the result; it must be empty or not there.
    pub output: PathBuf,
    /// Rows of a page.
    pub page_rows: usize,
    /// How many threads work.
    pub threads: usize,
}

/// What a compaction came to.
#[derive(Debug, Clone, Serialize)]
pub struct Compacted {
    /// Facts, before and after.
    pub rows: u64,
    /// Files of the result.
    pub files: usize,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes: u64,
    /// Bytes of the index.
    pub index_bytes: u64,
    /// Seconds from start to end.
    pub wall_s: f64,
}

impl Compacted {
    /// The report as text.
    pub fn text(&self) -> String {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        format!(
            "{} facts in {} files: {:.1} MiB, were {:.1}; index {:.1} MiB; {:.2} s\n",
            self.rows,
            self.files,
            mib(self.bytes),
            mib(self.bytes_before),
            mib(self.index_bytes),
            self.wall_s
        )
    }
}

impl Compaction {
    /// Sorts, writes, indexes.
    ///
    /// # Errors
    /// Files that cannot be read or written, a folder with something in it, columns that are missing or of the wrong type.
    pub fn run(&self) -> Result<Compacted> {
        let started = Instant::now();
        let source = Source::open(&self.facts)?;
        source.required(MEMBER)?;
        source.required(POSITION)?;
        if std::fs::read_dir(&self.output).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(FactsError::Refused(format!(
                "{} is not empty; name a new folder",
                self.output.display()
            )));
        }
        std::fs::create_dir_all(&self.output).map_err(FactsError::writing(&self.output))?;
        let parts = Parts { folder: self.output.join("_parts") };
        std::fs::create_dir_all(&parts.folder).map_err(FactsError::writing(&parts.folder))?;
        let schema = Arc::new(Schema::new(source.fields.clone()));
        let bits = source.rows().div_ceil(ROWS_PER_BUCKET).max(1).next_power_of_two().trailing_zeros();
        parts.scatter(&source, &schema, bits, self.threads)?;
        let buckets: Vec<usize> = (0..1 << bits).collect();
        let places: Vec<Group> = buckets.iter().map(|&number| Group::numbered(number)).collect();
        let bytes = Source::each(&places.iter().collect::<Vec<_>>(), self.threads, |bucket| {
            self.sort(&source, &schema, &parts, bucket.number)
        })?;
        drop(parts);
        let index = build_index(std::slice::from_ref(&self.output), self.threads)?;
        let before = source.snapshot();
        Ok(Compacted {
            rows: index.rows,
            files: bytes.iter().filter(|bytes| **bytes > 0).count(),
            bytes_before: before.bytes,
            bytes: bytes.iter().sum(),
            index_bytes: index.bytes,
            wall_s: started.elapsed().as_secs_f64(),
        })
    }

    /// Sorts one bucket and writes it; gives its bytes.
    fn sort(&self, source: &Source, schema: &SchemaRef, parts: &Parts, bucket: usize) -> Result<u64> {
        let part = Source::open(&[parts.path(bucket)])?;
        let mut batches = Vec::new();
        for group in &part.groups {
            for batch in part.read(group, Read::default())? {
                batches.push(batch.map_err(FactsError::parquet(part.path(group)))?);
            }
        }
        if batches.is_empty() {
            return Ok(0);
        }
        let path = &part.files[0].path;
        let together = |error: arrow_schema::ArrowError| FactsError::Refused(error.to_string());
        let whole = concat_batches(&batches[0].schema(), &batches).map_err(together)?;
        drop(batches);
        let order = order(path, &whole)?;
        let columns = whole.columns().iter().map(|column| taken(column, &order));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let sorted = RecordBatch::try_new(whole.schema(), columns).map_err(together)?;
        let mut properties = properties(None)
            .set_data_page_row_count_limit(self.page_rows)
            .set_write_batch_size(self.page_rows);
        for field in schema.fields() {
            properties = encoded(encoded_as(properties, source, field.name(), field.name()), source, field);
        }
        let path = self.output.join(format!("bucket-{bucket:04}.parquet"));
        let mut writer = TableWriter::create(&path, schema, properties.build())?;
        writer.write(&sorted, Vec::new())?;
        writer.finish()
    }
}

/// Whoever looks up a member reads a page of each column: what takes longer to decompress than to read is not compressed.
fn encoded(properties: WriterPropertiesBuilder, source: &Source, field: &Field) -> WriterPropertiesBuilder {
    let column = ColumnPath::from(field.name().as_str());
    if field.name() == MEMBER && is_text(field.data_type()) {
        // Members follow themselves: all but the first of each is two small numbers.
        return properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column.clone(), Encoding::DELTA_BYTE_ARRAY)
            .set_column_compression(column, Compression::UNCOMPRESSED);
    }
    if field.data_type().is_primitive() {
        return properties.set_column_compression(column, Compression::UNCOMPRESSED);
    }
    if is_text(field.data_type()) && is_of_few_values(source, field.name()) {
        return properties.set_column_compression(column, Compression::SNAPPY);
    }
    properties
}

/// The rows of a bucket by member and position.
fn order(path: &Path, batch: &RecordBatch) -> Result<UInt32Array> {
    let column = |name: &str| batch.column_by_name(name).expect("it is required of the source");
    let members = Members::of(path, MEMBER, column(MEMBER))?;
    let position = positions(path, POSITION, column(POSITION))?;
    let mut rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
    let numbers = positions(path, ROW, column(ROW))?;
    rows.sort_unstable_by(|&one, &other| {
        let (one, other) = (one as usize, other as usize);
        let key = |row: usize| (position[row], numbers[row]);
        members.compare(one, other).then_with(|| key(one).cmp(&key(other)))
    });
    Ok(UInt32Array::from(rows))
}

/// Files of unsorted buckets, gone when they are no longer needed.
struct Parts {
    folder: PathBuf,
}

impl Drop for Parts {
    fn drop(&mut self) {
        // What is left behind is in a folder that readers pass over.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Parts {
    fn path(&self, bucket: usize) -> PathBuf {
        self.folder.join(format!("{bucket}.parquet"))
    }

    fn scatter(&self, source: &Source, schema: &SchemaRef, bits: u32, threads: usize) -> Result<()> {
        let buckets = 1_usize << bits;
        let mut fields = schema.fields().to_vec();
        fields.push(Arc::new(Field::new(ROW, DataType::UInt64, false)));
        let schema = &Arc::new(Schema::new(fields));
        let writer = |bucket: usize| {
            let plain = properties(None).set_compression(Compression::UNCOMPRESSED);
            let plain = plain.set_max_row_group_row_count(Some(16_384)).build();
            TableWriter::create(&self.path(bucket), schema, plain).map(Mutex::new)
        };
        let writers = (0..buckets).map(writer).collect::<Result<Vec<_>>>()?;
        let groups: Vec<&Group> = source.groups.iter().collect();
        Source::each(&groups, threads, |group| {
            let path = source.path(group);
            let mut first = group.first_row;
            for batch in source.read(group, Read { batch: 65_536, ..Read::default() })? {
                let batch = batch.map_err(FactsError::parquet(path))?;
                let member = batch.column_by_name(MEMBER).expect("it is required of the source");
                let mut rows = vec![Vec::new(); buckets];
                for (row, hash) in hashes(path, member)?.into_iter().enumerate() {
                    let hash = hash.unwrap_or_default();
                    let bucket = if bits == 0 { 0 } else { (hash >> (64 - bits)) as usize };
                    rows[bucket].push(row as u32);
                }
                for (rows, writer) in rows.into_iter().zip(&writers) {
                    let numbers: UInt64Array = rows.iter().map(|row| first + u64::from(*row)).collect();
                    let rows = UInt32Array::from(rows);
                    let columns = batch.columns().iter().map(|column| taken(column, &rows));
                    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
                    let some = RecordBatch::try_new(batch.schema(), columns)
                        .map_err(|error| FactsError::Refused(error.to_string()))?;
                    writer
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .write(&some, vec![Arc::new(numbers)])?;
                }
                first += batch.num_rows() as u64;
            }
            Ok(())
        })?;
        writers.into_iter().try_for_each(|writer| {
            writer.into_inner().unwrap_or_else(PoisonError::into_inner).finish().map(|_| ())
        })
    }
}
