//! The files of a data set: found under their names, packed or not, and read row by row.

use super::report::Report;
use crate::text_file::{TextFile, decode};
use anyhow::{Context, bail};
use std::path::{Path, PathBuf};

/// The file `name` in `directory`, or the same compressed.
pub(super) fn find(directory: &Path, names: &[&str]) -> Option<PathBuf> {
    let candidates = names.iter().flat_map(|name| [(*name).to_owned(), format!("{name}.gz")]);
    candidates.map(|name| directory.join(name)).find(|path| path.is_file())
}

/// As [`find`], for a file that must be there.
pub(super) fn find_or_say(directory: &Path, names: &[&str]) -> anyhow::Result<PathBuf> {
    find(directory, names).with_context(|| format!("{} is not there", directory.join(names[0]).display()))
}

/// Reads every line that is not empty with `parse`; one that it cannot read is left out and reported.
pub(super) fn read_lines<T>(
    path: &Path,
    report: &mut Report,
    mut parse: impl FnMut(&str, &mut Report) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let mut file = TextFile::open(path)?;
    let (mut rows, mut seen) = (Vec::new(), 0_u64);
    while let Some(line) = file.next_line()? {
        let place = || format!("{}:{}", path.display(), line.number);
        match &line.text {
            Some(text) if text.trim().is_empty() => continue,
            Some(text) => match parse(text, report) {
                Ok(row) => rows.push(row),
                Err(error) => report.refuse(place(), format!("{error:#}")),
            },
            None => report.refuse(place(), "is too long for a line of text"),
        }
        seen += 1;
    }
    report.latin1_lines += file.latin1_lines();
    some_of(rows, seen, path, report)
}

/// Columns of a CSV file, by their names: any case, in any order.
pub(super) struct Columns(Vec<String>);

impl Columns {
    /// Where the column is that has one of `names`.
    pub fn find(&self, names: &[&str]) -> anyhow::Result<usize> {
        let at = self.0.iter().position(|column| names.iter().any(|name| column.eq_ignore_ascii_case(name)));
        at.with_context(|| {
            format!("has no column {}; its header is {}", names.join(" or "), self.0.join(","))
        })
    }
}

/// Reads every row of a CSV file (RFC 4180) with what `columns` makes of its header; a row that it cannot
/// read is left out and reported.
pub(super) fn read_csv<C, T>(
    path: &Path,
    report: &mut Report,
    columns: impl FnOnce(&Columns) -> anyhow::Result<C>,
    mut parse: impl FnMut(&C, &[String], &mut Report) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<T>> {
    let shown = path.display();
    let text = TextFile::open(path)?.into_reader();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text);
    let header = reader.byte_headers().with_context(|| format!("{shown} cannot be read"))?;
    let name = |field| decode(field).0.trim().trim_start_matches('\u{feff}').to_owned();
    let header = Columns(header.iter().map(name).collect());
    let wanted = columns(&header).with_context(|| shown.to_string())?;
    let (mut rows, mut seen) = (Vec::new(), 0_u64);
    let (mut record, mut fields) = (csv::ByteRecord::new(), Vec::new());
    while reader.read_byte_record(&mut record).with_context(|| format!("{shown} cannot be read"))? {
        let line = record.position().map_or(0, csv::Position::line);
        seen += 1;
        fields.clear();
        let mut is_latin1 = false;
        for field in &record {
            let (text, latin1) = decode(field);
            is_latin1 |= latin1;
            fields.push(text.into_owned());
        }
        report.latin1_lines += u64::from(is_latin1);
        let parsed = match fields.len() == header.0.len() {
            true => parse(&wanted, &fields, report),
            false => Err(anyhow::anyhow!("has {} fields; the header has {}", fields.len(), header.0.len())),
        };
        match parsed {
            Ok(row) => rows.push(row),
            Err(error) => report.refuse(format!("{shown}:{line}"), format!("{error:#}")),
        }
    }
    some_of(rows, seen, path, report)
}

/// A file of which no line can be read is none of this kind.
fn some_of<T>(rows: Vec<T>, seen: u64, path: &Path, report: &Report) -> anyhow::Result<Vec<T>> {
    if rows.is_empty() && seen > 0 {
        let why = report.first_refused.last().map(String::as_str).unwrap_or_default();
        bail!("none of the {seen} lines of {} can be read: {why}", path.display());
    }
    Ok(rows)
}
