//! `nearline-lab to-jsonl`: rows of Parquet files as JSON lines. The engine's program reads no Parquet, so that
//! nobody who serves links it; a pipe brings the rows there.

use anyhow::{Context, bail};
use arrow_array::{ArrayRef, RecordBatch, cast::AsArray, types::Int64Type};
use arrow_cast::cast;
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::{DataType, Field, Schema};
use clap::Args;
use nearline_facts::refuse_inputs;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Columns that events have as text, whatever type a table gives them.
const TEXT: [&str; 10] =
    ["id", "member", "title", "request", "row", "artwork", "segment", "device", "country", "type"];
const BATCH_ROWS: usize = 8_192;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline-lab to-jsonl events.parquet | nearline publish -
  nearline-lab to-jsonl titles/*.parquet > titles.ndjson
  nearline-lab to-jsonl decisions.parquet | nearline-lab evaluate policy -

Times are written as RFC 3339 (without a zone they are taken as UTC), and so is an integer column `at`:
Unix seconds, or milliseconds where they are too large for that. Numbers in columns that events have as
text, such as `member` and `title`, are written as text. What is null is left out.")]
pub(super) struct ToJsonlArgs {
    /// Parquet files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write to FILE instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &ToJsonlArgs) -> anyhow::Result<()> {
    let out: Box<dyn Write> = match &args.output {
        Some(path) => {
            refuse_inputs(path, args.files.iter().map(PathBuf::as_path))?;
            Box::new(File::create(path).with_context(|| format!("{} cannot be written", path.display()))?)
        }
        None => Box::new(std::io::stdout().lock()),
    };
    match write(&args.files, BufWriter::new(out)) {
        // Whoever reads has seen enough.
        Err(error) if is_closed(&error) => Ok(()),
        outcome => outcome,
    }
}

fn is_closed(error: &anyhow::Error) -> bool {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
            || cause.to_string().contains("Broken pipe")
    };
    error.chain().any(closed)
}

fn write(files: &[PathBuf], out: impl Write) -> anyhow::Result<()> {
    let format = "%Y-%m-%dT%H:%M:%S%.3fZ".to_owned();
    let builder = WriterBuilder::new().with_timestamp_format(format.clone()).with_timestamp_tz_format(format);
    let mut writer = builder.build::<_, LineDelimited>(out);
    for path in files {
        let shown = path.display();
        let file = File::open(path).with_context(|| format!("{shown} cannot be read"))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .with_context(|| format!("{shown} is no Parquet file that can be read"))?;
        for batch in builder.with_batch_size(BATCH_ROWS).build().with_context(|| shown.to_string())? {
            let batch = batch.with_context(|| format!("{shown} cannot be read"))?;
            let batch = as_events_have_it(&batch).with_context(|| shown.to_string())?;
            writer.write(&batch).context("the rows cannot be written")?;
        }
    }
    writer.finish().context("the rows cannot be written")?;
    writer.into_inner().flush().context("the rows cannot be written")
}

/// The columns that events have, in the types that events have them in; others as they are.
fn as_events_have_it(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let schema = batch.schema();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let column = column_as_events_have_it(field, column)
            .with_context(|| format!("column {}", nearline_terminal::clean(field.name())))?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn column_as_events_have_it(field: &Field, column: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let (name, kind) = (field.name().as_str(), column.data_type());
    let is_time = matches!(kind, DataType::Timestamp(..));
    if TEXT.contains(&name)
        && (kind.is_numeric() || matches!(kind, DataType::Dictionary(..) | DataType::Binary))
    {
        let whole = kind.is_floating().then(|| cast(column, &DataType::Int64)).transpose()?;
        return Ok(cast(whole.as_ref().unwrap_or(column), &DataType::Utf8)?);
    }
    if name == "at" && kind.is_integer() {
        let numbers = cast(column, &DataType::Int64)?;
        let times = numbers.as_primitive::<Int64Type>().iter().map(|number| number.map(rfc3339).transpose());
        let times: Vec<Option<String>> = times.collect::<anyhow::Result<_>>()?;
        return Ok(Arc::new(arrow_array::StringArray::from(times)));
    }
    if is_time {
        // Zones other than UTC are turned into it, which is what the format says.
        return Ok(cast(column, &DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, None))?);
    }
    Ok(column.clone())
}

/// Unix seconds, or milliseconds where these would lie far beyond any clock.
fn rfc3339(number: i64) -> anyhow::Result<String> {
    const MILLISECONDS_FROM: i64 = 100_000_000_000;
    let ms = if number.abs() < MILLISECONDS_FROM { number * 1_000 } else { number };
    let known = nearline_model::timestamp::MIN_MS..=nearline_model::timestamp::MAX_MS;
    if !known.contains(&ms) {
        bail!("{number} is no time; expected Unix seconds or milliseconds");
    }
    Ok(nearline_model::timestamp::format_rfc3339(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use nearline_model::Event;
    use parquet::arrow::ArrowWriter;

    fn lines(columns: Vec<(&str, ArrayRef)>) -> anyhow::Result<String> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("e.parquet");
        let batch = RecordBatch::try_from_iter(columns).expect("columns");
        let mut writer =
            ArrowWriter::try_new(File::create(&path).expect("made"), batch.schema(), None).expect("a writer");
        writer.write(&batch).expect("written");
        writer.close().expect("closed");
        let mut out = Vec::new();
        write(&[path], &mut out)?;
        Ok(String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn rows_become_events_that_can_be_published() {
        let times =
            TimestampMicrosecondArray::from(vec![Some(1_772_395_200_250_000), Some(1_772_395_201_000_000)]);
        for at in [
            Arc::new(times.clone()) as ArrayRef,
            Arc::new(times.with_timezone("America/Sao_Paulo")),
            Arc::new(Int64Array::from(vec![1_772_395_200_250, 1_772_395_201_000])),
        ] {
            let text = lines(vec![
                ("id", Arc::new(StringArray::from(vec!["e1", "e2"]))),
                ("type", Arc::new(StringArray::from(vec!["play", "rating"]))),
                ("member", Arc::new(Int64Array::from(vec![7, 8]))),
                ("title", Arc::new(Int64Array::from(vec![50, 51]))),
                ("at", at),
                ("value", Arc::new(Float64Array::from(vec![None, Some(4.5)]))),
            ])
            .expect("written");
            let events: Vec<_> =
                text.lines().map(|line| Event::parse(line.as_bytes(), 65_536).expect(line)).collect();
            assert_eq!((&*events[0].member, &*events[0].title, events[0].value), ("7", "50", None));
            assert_eq!((events[0].at_ms, events[1].value), (1_772_395_200_250, Some(4.5)), "{text}");
        }
    }

    #[test]
    fn what_is_no_parquet_and_what_is_no_time_are_refused() {
        let error = lines(vec![("at", Arc::new(Int64Array::from(vec![-5])))]).expect_err("no time");
        assert!(format!("{error:#}").contains("column at: -5 is no time"), "{error:#}");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("e.csv");
        std::fs::write(&path, "a,b\n").expect("written");
        let error = write(&[path], Vec::new()).expect_err("no Parquet").to_string();
        assert!(error.contains("is no Parquet file"), "{error}");
    }
}
