//! The answer: impressions and attributed plays by title, epoch and country.

use nearline_model::Aggregates;
use nearline_model::delta::EPOCH_MS;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// One cell.
pub struct Cell {
    pub title: Arc<str>,
    pub epoch_ms: i64,
    pub country: Arc<str>,
    pub impressions: u64,
    pub plays: u64,
}

/// How cells are written.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// A header, then one line each.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// The format that the ending of `path` names.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Self::Csv),
            Some("ndjson" | "json") => Ok(Self::Ndjson),
            _ => anyhow::bail!("{}: cells are written as .csv or .ndjson", path.display()),
        }
    }
}

/// All cells with impressions, in ascending order.
pub fn of(aggregates: &Aggregates) -> Vec<Cell> {
    let countries: Vec<String> =
        aggregates.dimension_names().filter(|name| name.starts_with("country:")).map(str::to_owned).collect();
    let tables = || countries.iter().filter_map(|name| Some((name, aggregates.counters(name)?)));
    let most =
        tables().flat_map(|(_, table)| table.titles()).map(|(_, counters)| counters.epochs.len()).sum();
    let mut cells = Vec::with_capacity(most);
    for (name, table) in tables() {
        let country: Arc<str> = name.trim_start_matches("country:").into();
        for (title, counters) in table.titles() {
            for (epoch, counts) in &counters.epochs {
                if counts.impressions > 0 {
                    cells.push(Cell {
                        title: aggregates.title_id(title).clone(),
                        epoch_ms: i64::from(*epoch) * EPOCH_MS,
                        country: country.clone(),
                        impressions: counts.impressions.into(),
                        plays: counts.attributed.into(),
                    });
                }
            }
        }
    }
    cells
        .sort_unstable_by(|a, b| (&a.title, a.epoch_ms, &a.country).cmp(&(&b.title, b.epoch_ms, &b.country)));
    cells
}

/// Writes cells into a file.
pub fn write(path: &Path, format: Format, cells: &[Cell]) -> std::io::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    if let Format::Csv = format {
        writeln!(file, "title,epoch_ms,country,impressions,plays")?;
    }
    for Cell { title, epoch_ms, country, impressions, plays } in cells {
        // Ids and countries need neither quotes nor escapes.
        match format {
            Format::Csv => writeln!(file, "{title},{epoch_ms},{country},{impressions},{plays}")?,
            Format::Ndjson => writeln!(
                file,
                r#"{{"title":"{title}","epoch_ms":{epoch_ms},"country":"{country}","impressions":{impressions},"plays":{plays}}}"#
            )?,
        }
    }
    file.flush()
}
