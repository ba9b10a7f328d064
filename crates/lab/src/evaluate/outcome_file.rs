//! One line for each query of a prequential evaluation, to compare two rankings query by query.

use super::prequential::Prequential;
use super::timed_event::TimedEvent;
use anyhow::Context;
use nearline_model::Event;
use nearline_model::timestamp::format_rfc3339;
use serde::Serialize;
use std::io::{BufWriter, Write};
use std::path::Path;

#[derive(Serialize)]
struct Line<'a> {
    event: &'a str,
    member: &'a str,
    title: &'a str,
    at: String,
    seen: usize,
    /// Rank (from 1) of the title in the member's list; null: not in it.
    rank: Option<usize>,
    /// Rank (from 1) of the title among the popular ones; null: not among them.
    popular_rank: Option<usize>,
}

/// Writes the outcomes of `report`, which came out of `events`, one JSON object a line.
///
/// # Errors
/// Where the file cannot be written.
pub fn write(path: &Path, report: &Prequential, events: &[TimedEvent]) -> anyhow::Result<()> {
    let what = || format!("{} cannot be written", path.display());
    let mut file = BufWriter::new(std::fs::File::create(path).with_context(what)?);
    for outcome in &report.outcomes {
        let event = Event::parse(&events[outcome.event].payload, report.options.settings.fold.event_bytes)?;
        let line = Line {
            event: &event.id,
            member: &event.member,
            title: &event.title,
            at: format_rfc3339(outcome.at_ms),
            seen: outcome.seen,
            rank: outcome.rank,
            popular_rank: outcome.popular,
        };
        writeln!(file, "{}", serde_json::to_string(&line)?).with_context(what)?;
    }
    file.flush().with_context(what)
}
