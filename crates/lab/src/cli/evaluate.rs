//! `nearline-lab evaluate`: what recommendations would have been worth, on events of the past.

mod policy;

use crate::evaluate::event_file::EventFile;
use crate::evaluate::html::{decimal, page, percent};
use crate::evaluate::impressions::{self, Impressions, ListMetrics};
use crate::evaluate::outcome_file;
use crate::evaluate::prequential::{self, Options, Prequential};
use crate::evaluate::replay::ReplaySettings;
use crate::evaluate::summary::{Scores, Timing};
use anyhow::Context;
use clap::{Args, Subcommand};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use indicatif::{ProgressBar, ProgressStyle};
use nearline_audience::title_file::read_titles;
use nearline_config::Config;
use nearline_terminal::{grouped, print_all};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline import movielens ml-100k --to ml.ndjson
  nearline-lab evaluate prequential ml.ndjson                      hit rate, MRR and nDCG on the last fifth
  nearline-lab evaluate prequential ml.ndjson --html report.html   the same, with charts
  nearline-lab evaluate prequential events.csv.gz                  any table of user, item and time
  nearline import mind MINDsmall_train --to mind.ndjson
  nearline-lab evaluate impressions mind.ndjson                    AUC, MRR and nDCG of what was shown

Events are replayed in the order of their time through the fold and the ranking that serve, under the
settings of --config; nothing is stored. All but the timings is the same in every run.")]
pub(super) struct EvaluateArgs {
    #[command(subcommand)]
    evaluation: Evaluation,
}

#[derive(Debug, Subcommand)]
enum Evaluation {
    /// Before each play (or first rating) of a title not seen yet: was it recommended? Then learn it.
    Prequential(PrequentialArgs),
    /// Of what each request showed: is what was played ranked above what was not?
    Impressions(ImpressionsArgs),
    /// Of logged decisions: what would another policy have earned? (Replay, IPS, SNIPS, DM, DR.)
    Policy(policy::PolicyArgs),
}

#[derive(Debug, Args)]
struct InputArgs {
    /// Events, one JSON object a line, in any order (`-`: standard input), or tables of user, item and time
    /// (`.csv`, `.tsv`, `.data`, `.dat`, each also `.gz`).
    #[arg(required = true)]
    events: Vec<PathBuf>,
    /// Titles of the catalogue, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Seed of the random order of events of one time. Without, tables are dealt with a seed of 1, and
    /// other events keep the order of their file.
    #[arg(long, value_name = "SEED")]
    ties: Option<u64>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct PrequentialArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Share of the events, in the order of time, that is learned before the first query.
    #[arg(long, visible_alias = "from-fraction", default_value_t = 0.8, value_name = "SHARE", value_parser = share)]
    train_fraction: f64,
    /// Titles recommended.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    k: u16,
    /// Give places to new titles of the catalogue as a service does (`ranking.exploration`); otherwise every title stands at
    /// its own place.
    #[arg(long)]
    explore: bool,
    /// Take every rating for a play, whatever it says. Otherwise titles that members rate badly are no interest of
    /// theirs, and ranked below others, though the rating that is asked about may be a bad one, too.
    #[arg(long)]
    ratings_as_plays: bool,
    /// Write a report with charts to FILE, too.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write one JSON object for each query to FILE, too: what was played, and at which rank it stood.
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ImpressionsArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Share of the events, in the order of time, that is learned before the first request is measured.
    #[arg(long, visible_alias = "from-fraction", default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    train_fraction: f64,
}

/// A share from 0 to below 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to below 1, such as 0.8".to_owned())
}

pub(super) async fn run(args: EvaluateArgs, config: &Config) -> anyhow::Result<()> {
    match args.evaluation {
        Evaluation::Prequential(args) => run_prequential(args, config),
        Evaluation::Impressions(args) => run_impressions(args, config),
        Evaluation::Policy(args) => policy::run(&args, config).await,
    }
}

fn run_prequential(args: PrequentialArgs, config: &Config) -> anyhow::Result<()> {
    for written in args.html.iter().chain(&args.queries) {
        args.input.refuse(written)?;
    }
    let (mut file, titles) = args.input.read(config)?;
    if args.ratings_as_plays {
        file.take_ratings_for_plays()?;
    }
    let mut options = options(config, args.train_fraction, args.k.into());
    options.explore = args.explore;
    let progress = progress_bar(file.events.len());
    let report = prequential::run(&file.events, titles, options, |done| progress.set_position(done as u64))?;
    progress.finish_and_clear();
    warn(&file, report.refused.0);
    if let Some(path) = &args.html {
        std::fs::write(path, page(&report, &args.input.source(), file.bad.count))
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    if let Some(path) = &args.queries {
        outcome_file::write(path, &report, &file.events)?;
    }
    if args.input.json {
        print_all(&format!("{}\n", report.json(file.bad.count)))
    } else {
        print_all(&prequential_tables(&report, args.html.as_ref()))
    }
}

fn run_impressions(args: ImpressionsArgs, config: &Config) -> anyhow::Result<()> {
    let (file, titles) = args.input.read(config)?;
    let progress = progress_bar(file.events.len());
    let options = options(config, args.train_fraction, 10);
    let report = impressions::run(&file.events, titles, options, |done| progress.set_position(done as u64))?;
    progress.finish_and_clear();
    warn(&file, report.refused);
    anyhow::ensure!(
        report.requests > 0,
        "no request to measure: of {} events none after the first {} is an impression with a `request`",
        grouped(report.events as u64),
        grouped(report.train_events as u64)
    );
    if args.input.json {
        print_all(&format!("{}\n", report.json(file.bad.count)))
    } else {
        print_all(&impressions_tables(&report))
    }
}

impl InputArgs {
    fn read(&self, config: &Config) -> anyhow::Result<(EventFile, Vec<nearline_model::Title>)> {
        let titles = self.catalogue.as_deref().map(read_titles).transpose()?.unwrap_or_default();
        Ok((EventFile::read_all(&self.events, config.fold.event_bytes, self.ties)?, titles))
    }

    /// Refuses to write over what is read.
    fn refuse(&self, written: &Path) -> anyhow::Result<()> {
        let read = self.events.iter().chain(&self.catalogue).map(PathBuf::as_path);
        Ok(nearline_facts::refuse_inputs(written, read)?)
    }

    fn source(&self) -> String {
        let name = |path: &PathBuf| match path.file_name() {
            Some(name) if name != "-" => name.to_string_lossy().into_owned(),
            _ => "standard input".to_owned(),
        };
        self.events.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn options(config: &Config, train_fraction: f64, k: usize) -> Options {
    let settings = ReplaySettings {
        fold: config.fold.clone(),
        aggregates: config.aggregates.clone(),
        ranking: config.ranking,
        solved_titles: config.engine.solved_titles,
    };
    Options { train_fraction, k, settings, explore: false }
}

pub(super) fn progress_bar(events: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {percent:>3}%  {human_pos} of {human_len} events  {elapsed} (about {eta} left)",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(events as u64).with_style(style)
}

fn warn(file: &EventFile, refused: u64) {
    if let Some(bad) = file.bad.describe() {
        eprintln!("warning: {}", nearline_terminal::clean_lines(&bad));
    }
    if refused > 0 {
        eprintln!(
            "warning: the fold refused {refused} events; see [fold] of the configuration for its limits"
        );
    }
}

pub(super) fn table(header: Vec<String>) -> Table {
    let columns = header.len();
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in 1..columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn prequential_tables(report: &Prequential, html: Option<&PathBuf>) -> String {
    let k = report.options.k;
    let header = ["", "queries", "hit rate", "± 95 %", "MRR", "nDCG"];
    let mut means = table(
        header
            .map(
                |name| {
                    if name.starts_with(['h', 'M', 'n']) { format!("{name}@{k}") } else { name.to_owned() }
                },
            )
            .to_vec(),
    );
    let mut add = |name: &str, scores: Scores| {
        means.add_row([
            name.to_owned(),
            grouped(scores.queries as u64),
            percent(scores.hit_rate),
            percent(1.96 * scores.hit_rate_error),
            decimal(scores.mrr),
            decimal(scores.ndcg),
        ]);
    };
    add("recommended to the member", report.own());
    add("popular, not seen", report.popular());
    add("as served, repeats among it", report.as_served(false));
    add("  repeats alone", report.as_served(true));
    for (what, classes) in [
        ("titles played before", report.by_seen()),
        ("plays of the title", report.by_plays()),
        ("since the last play", report.by_gap()),
    ] {
        for class in classes {
            add(&format!("{what}: {}", class.name), class.own);
        }
    }
    let mut text = format!(
        "{} events, {} members, {} titles; asked about the last {} events ({} of them repeats or no plays)\n{means}\n",
        grouped(report.events as u64),
        grouped(report.members as u64),
        grouped(report.titles as u64),
        grouped((report.events - report.train_events) as u64),
        grouped((report.events - report.train_events - report.outcomes.len()) as u64),
    );
    text += &format!(
        "coverage {} of all titles, novelty {:.2} bits (mean −log2 of a title's share of plays)\n",
        percent(report.coverage()),
        report.novelty_bits
    );
    text += &times(&report.query, &report.event);
    if let Some(path) = html {
        text += &format!("charts: {}\n", path.display());
    }
    text
}

fn impressions_tables(report: &Impressions) -> String {
    let mut means = table(["", "requests", "AUC", "MRR", "nDCG@5", "nDCG@10"].map(str::to_owned).to_vec());
    let mut add = |name: &str, requests: usize, metrics: ListMetrics| {
        let ListMetrics { auc, mrr, ndcg_5, ndcg_10 } = metrics;
        let mut row = vec![name.to_owned(), grouped(requests as u64)];
        row.extend([auc, mrr, ndcg_5, ndcg_10].map(decimal));
        means.add_row(row);
    };
    let groups = [
        ("ranked for the member", report.means(|_| true)),
        ("fewer than 5 titles seen", report.cold(true)),
        ("5 titles seen or more", report.cold(false)),
    ];
    for (name, (requests, own, popular)) in groups {
        add(name, requests, own);
        add("  popular", requests, popular);
    }
    format!(
        "{} events, {} members; {} requests, {} of them with something played and something not\n{means}\n{}",
        grouped(report.events as u64),
        grouped(report.members as u64),
        grouped(report.requests as u64),
        grouped(report.ranked.len() as u64),
        times(&report.query, &report.event)
    )
}

fn times(query: &Timing, event: &Timing) -> String {
    let of = |timing: &Timing| {
        format!("{:.0} µs p50, {:.0} µs p99", timing.quantile_us(0.5), timing.quantile_us(0.99))
    };
    format!("a query took {}; an event {}\n", of(query), of(event))
}
