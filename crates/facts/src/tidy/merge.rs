//! Small files become large ones: what an archiver wrote every few minutes of a day that is over. Rows stay in their order.

use std::fs::File;

use arrow_schema::SchemaRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;

use super::{LastKnown, Tidied, Tidying};
use crate::delta::{Add, Change, DeltaTable};
use crate::error::{FactsError, Result};
use crate::table_writer::{TableWriter, nothing_strange};

const DAY_MS: i64 = 86_400_000;
/// Files are merged up to so many rows and bytes: a reader takes one at a time, and an erasure writes one anew.
const MOST_ROWS: u64 = 1_000_000;
const MOST_BYTES: i64 = 256 << 20;

/// How a table's files are written, and which of them follow one another.
pub(crate) struct Form<'a> {
    pub schema: SchemaRef,
    pub properties: &'a dyn Fn() -> WriterProperties,
    /// Whether the names of files tell their order: those of one series and that of its positions. Otherwise it is that of time.
    pub series: Option<fn(&str) -> &str>,
    /// The name of a file made of some, by those of the first and the last of them and one that is nobody else's.
    pub name: fn(&str, &str, &str) -> String,
}

/// A file that may be merged with those beside it.
struct Piece {
    file: Add,
    day: i64,
}

impl Tidying {
    /// Merges small files of each day that is over.
    pub(super) fn merge(
        &self,
        table: &mut DeltaTable,
        form: &Form<'_>,
        known: &mut LastKnown,
        name: &mut dyn FnMut() -> String,
        tidied: &mut Tidied,
    ) -> Result<()> {
        for pieces in self.pieces(table, form, known)? {
            self.merge_pieces(table, form, &pieces, &name(), tidied)?;
        }
        Ok(())
    }

    /// Files that become one, in their order.
    fn pieces(
        &self,
        table: &mut DeltaTable,
        form: &Form<'_>,
        known: &mut LastKnown,
    ) -> Result<Vec<Vec<Piece>>> {
        let mut files = Vec::new();
        for file in Vec::from_iter(table.files().cloned()) {
            if let Some(last) = known.of(table, &file.path)? {
                files.push((last, file));
            }
        }
        if form.series.is_none() {
            files.sort_by(|(one, a), (other, b)| (one, &a.path).cmp(&(other, &b.path)));
        }
        let today = self.now_ms.div_euclid(DAY_MS);
        let series = |file: &Add| form.series.map(|of| of(&file.path).to_owned());
        let mut all: Vec<Vec<Piece>> = Vec::new();
        for (last, file) in files {
            let day = last.div_euclid(DAY_MS);
            let fits = all.last().is_some_and(|pieces| {
                let rows: u64 = pieces.iter().map(|piece| piece.file.rows()).sum();
                let bytes: i64 = pieces.iter().map(|piece| piece.file.size).sum();
                pieces.last().is_some_and(|before| {
                    before.day == day && day < today && series(&before.file) == series(&file)
                }) && rows + file.rows() <= MOST_ROWS
                    && bytes.saturating_add(file.size) <= MOST_BYTES
            });
            match all.last_mut() {
                Some(pieces) if fits => pieces.push(Piece { file, day }),
                _ => all.push(vec![Piece { file, day }]),
            }
        }
        all.retain(|pieces| pieces.len() > 1);
        Ok(all)
    }

    fn merge_pieces(
        &self,
        table: &mut DeltaTable,
        form: &Form<'_>,
        pieces: &[Piece],
        nonce: &str,
        tidied: &mut Tidied,
    ) -> Result<()> {
        let [first, .., last] = pieces else { return Ok(()) };
        let name = (form.name)(&first.file.path, &last.file.path, nonce);
        let path = table.root().join(&name);
        let mut writer = TableWriter::create(&path, &form.schema, (form.properties)())?;
        let mut rows = 0;
        for piece in pieces {
            let path = table.file(&piece.file.path)?;
            let file = File::open(&path).map_err(FactsError::reading(&path))?;
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(file).map_err(FactsError::parquet(&path))?;
            nothing_strange(&path, builder.schema(), &form.schema)?;
            for batch in builder.build().map_err(FactsError::parquet(&path))? {
                let batch = batch.map_err(FactsError::parquet(&path))?;
                rows += batch.num_rows() as u64;
                writer.write(&batch, Vec::new())?;
            }
        }
        let bytes = writer.finish_synced()?;
        table.location().keep(&name)?;
        let change = Change {
            add: vec![Add::arranged(name.clone(), bytes, rows, self.now_ms)],
            remove: pieces.iter().map(|piece| piece.file.path.clone()).collect(),
            operation: "OPTIMIZE",
            ..Change::default()
        };
        self.commit(table, change)?;
        tidied.merged_rows += rows;
        tidied.merged_files.0 += pieces.len() as u64;
        tidied.merged_files.1 += 1;
        Ok(())
    }
}
