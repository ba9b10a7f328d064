//! `nearline-lab what-if`: an archived interval under other settings.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use jiff::Timestamp;
use nearline_audience::title_file::read_titles;
use nearline_config::Config;
use nearline_terminal::{grouped, print_all};
use serde_json::json;

use super::evaluate::{options, progress_bar, table};
use crate::evaluate::html::{decimal, percent};
use crate::off_policy::Estimator;
use crate::places::Places;
use crate::what_if::{Answer, Difference, Question, Settings, run as replay};

/// Replays the events of an archive up to the end of an interval under the settings that served it (`--config`) and under
/// other ones, and holds the lists, hit rates and estimated takes of artworks of the interval side by side.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  nearline-lab what-if --archive archive/ --from 2026-03-01T00:00:00Z --to 2026-03-08T00:00:00Z --other other.toml

Nothing is stored. Sections that count: [fold], [aggregates], [ranking], [artwork], and engine.solved_titles.")]
pub(super) struct WhatIfArgs {
    /// The archive that `nearline-lab archive` makes.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The first moment that is asked about, by the log's time; without one, when four fifths of the events had come.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// The end, exclusive; without one, the end of the archive.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// The other configuration.
    #[arg(long, value_name = "FILE")]
    other: PathBuf,
    /// Titles of the catalogue, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Titles in a list.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    k: u16,
    /// Members whose lists at the end are shown.
    #[arg(long, value_name = "MEMBER", value_delimiter = ',')]
    members: Vec<String>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

fn settings(config: &Config) -> Settings {
    Settings { replay: options(config, 0.0, 1).settings, exploration_floor: config.artwork.exploration_floor }
}

/// Runs the command.
///
/// # Errors
/// A folder that is no archive, a configuration that is refused or says the same, and an interval without events.
pub(super) fn run(args: &WhatIfArgs, config: &Config, places: &mut Places) -> anyhow::Result<()> {
    let other = Config::load(Some(&args.other), super::environment())
        .with_context(|| format!("{} was refused", args.other.display()))?;
    let (served, other) = (settings(config), settings(&other));
    if served == other {
        bail!(
            "{} says what the configuration says already: nothing of [fold], [aggregates], [ranking], [artwork] and \
             engine.solved_titles differs (variables NEARLINE__… in the environment hold for both)",
            args.other.display()
        );
    }
    let titles = args.catalogue.as_deref().map(read_titles).transpose()?.unwrap_or_default();
    let question = Question {
        from_ms: args.from.map(Timestamp::as_millisecond),
        to_ms: args.to.map_or(i64::MAX, Timestamp::as_millisecond),
        k: args.k.into(),
        served,
        other,
        members: args.members.clone(),
    };
    let progress = progress_bar(0);
    let answer = replay(&places.folder(&args.archive)?, &titles, &question, &|number, events, done| {
        progress.set_length(2 * events as u64);
        progress.set_position((number * events + done) as u64);
    })?;
    progress.finish_and_clear();
    if args.json { print_all(&format!("{}\n", json_of(&answer))) } else { print_all(&text(&answer)) }
}

fn json_of(answer: &Answer) -> serde_json::Value {
    let [served, other] = &answer.replays;
    json!({
        "evaluation": "what-if",
        "k": served.options.k,
        "events_before": answer.events_before,
        "events": answer.events_within,
        "left_out": answer.left_out,
        "compared": answer.compared,
        "shown": answer.shown,
        "recommended_titles": { "served": served.recommended, "other": other.recommended },
        "artwork": answer.artwork.as_ref().map(|[served, other]| json!({ "served": served, "other": other })),
        "pages": answer.pages,
    })
}

/// Figures under both settings.
fn means(answer: &Answer) -> comfy_table::Table {
    let (compared, k) = (&answer.compared, answer.replays[0].options.k);
    let header =
        ["", "queries", "as served", "other", "other − served", "± 95 %"].map(str::to_owned).to_vec();
    let mut means = table(header);
    let mut row = |name: String, queries: usize, of: &Difference| {
        means.add_row([
            name,
            grouped(queries as u64),
            decimal(of.served),
            decimal(of.other),
            format!("{:+.4}", of.difference),
            decimal(1.96 * of.standard_error),
        ]);
    };
    row(format!("hit rate@{k}"), compared.queries, &compared.hit_rate);
    row(format!("MRR@{k}"), compared.queries, &compared.mrr);
    row(format!("nDCG@{k}"), compared.queries, &compared.ndcg);
    for class in &compared.by_seen {
        row(format!("hit rate@{k}, titles seen: {}", class.seen), class.queries, &class.hit_rate);
    }
    if let Some([served, other]) = &answer.artwork {
        let of = |report: &crate::evaluate::policy::PolicyReport| {
            let found = report.evaluation.estimate(Estimator::Dr);
            found.map_or((f64::NAN, f64::NAN), |found| {
                (found.value, (found.normal.high - found.normal.low) / 2.0)
            })
        };
        let ((first, _), (second, error)) = (of(served), of(other));
        means.add_row([
            "takes per artwork shown (doubly robust)".to_owned(),
            grouped(served.evaluation.diagnostics.rounds as u64),
            decimal(first),
            decimal(second),
            format!("{:+.4}", second - first),
            format!("{} of each", decimal(error)),
        ]);
    }
    means
}

fn text(answer: &Answer) -> String {
    let compared = &answer.compared;
    let mut text = format!(
        "{} events before the interval, {} in it; {} plays of titles that the member had not seen.\n",
        grouped(answer.events_before as u64),
        grouped(answer.events_within as u64),
        grouped(compared.queries as u64)
    );
    text.push_str(&format!("{}\n", means(answer)));
    text.push_str(&format!(
        "Of the titles of a list, {} are in the other one, too; {} of the lists are the same. {} and {} titles were recommended.\n",
        percent(compared.titles_alike),
        percent(compared.lists_alike),
        grouped(answer.replays[0].recommended as u64),
        grouped(answer.replays[1].recommended as u64)
    ));
    let shown = &answer.shown;
    text.push_str(&format!(
        "What was shown then: {} of these plays came after impressions, {} of them of a title that was among them.\n",
        grouped(shown.after_impressions as u64),
        grouped(shown.of_shown as u64)
    ));
    for (count, what) in [
        (
            compared.unpaired as u64,
            "plays were asked of one only: its settings knew the title as seen, or not",
        ),
        (answer.left_out, "records are no events, and were left out"),
    ] {
        if count > 0 {
            text.push_str(&format!("{} {what}.\n", grouped(count)));
        }
    }
    for page in &answer.pages {
        let mut lists = table(vec![String::new(), "as served".to_owned(), "other".to_owned()]);
        for place in 0..page.served.len().max(page.other.len()) {
            let title = |list: &[String]| list.get(place).cloned().unwrap_or_default();
            lists.add_row([(place + 1).to_string(), title(&page.served), title(&page.other)]);
        }
        text.push_str(&format!("\n{}\n{lists}\n", page.member));
    }
    nearline_terminal::clean_lines(&text).into_owned()
}
