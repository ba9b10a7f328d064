//! `nearline-lab evaluate policy`: off-line policy evaluation of logged decisions or of Nearline's events.

use crate::evaluate::policy::artworks::{ArtworkLog, Skipped};
use crate::evaluate::policy::{Logged, PolicyReport, decisions, engine_log};
use crate::off_policy::{Interval, Options, evaluate};
use anyhow::{Context, bail};
use clap::Args;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use nearline_audience::text_file::TextFile;
use nearline_config::{Config, open_ports};
use nearline_model::Title;
use nearline_terminal::print_all;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline-lab evaluate policy decisions.ndjson --json      decisions that say what the policy would have done
  nearline-lab evaluate policy all.csv                      Open Bandit, as it is published
  nearline-lab evaluate policy log.dsjson.gz                Vowpal Wabbit, as it logs
  nearline-lab evaluate policy events.ndjson                Nearline's events: artworks, chosen with propensities
  nearline-lab evaluate policy events.ndjson --titles titles.ndjson --resamples 10000
  nearline-lab --config config/cluster.toml evaluate policy   the log of the engine itself

A log whose lines have a `type` is one of events; every impression with `artwork` and `propensity` is a
decision, and the policies uniform, best, segment and thompson are evaluated. Else each line is a decision
with `action`, `reward`, `propensity`, `policy` and, for DM and DR, `reward_model` (docs/artwork.md).")]
pub(super) struct PolicyArgs {
    /// The log: NDJSON of events or decisions, CSV of decisions, Open Bandit's CSV or Vowpal Wabbit's dsjson, plain
    /// or gzip; `-`: standard input. Without one, the log and the catalogue of the configured backend.
    log: Option<PathBuf>,
    /// Titles of the catalogue with their artworks, one JSON object a line (for a log of events).
    #[arg(long, value_name = "FILE")]
    titles: Option<PathBuf>,
    /// Confidence of the intervals.
    #[arg(long, default_value_t = 0.95, value_parser = confidence)]
    confidence: f64,
    /// Samples of the bootstrap.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    resamples: u32,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 12_345)]
    seed: u32,
    /// Cut the weights of IPS and DR off here.
    #[arg(long, value_name = "WEIGHT", value_parser = weight)]
    max_weight: Option<f64>,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// A share between 0 and 1.
fn confidence(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| *share > 0.0 && *share < 1.0);
    share.ok_or_else(|| "expected a number between 0 and 1, such as 0.95".to_owned())
}

fn weight(text: &str) -> Result<f64, String> {
    let weight = text.parse().ok().filter(|weight: &f64| *weight > 0.0 && weight.is_finite());
    weight.ok_or_else(|| "expected a number above 0, such as 20".to_owned())
}

#[derive(Serialize)]
struct Report {
    log: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<Skipped>,
    confidence: f64,
    resamples: u32,
    seed: u32,
    policies: Vec<PolicyReport>,
}

pub(super) async fn run(args: &PolicyArgs, config: &Config) -> anyhow::Result<()> {
    let shown = args.log.as_ref().map_or("the log of the engine".to_owned(), |log| log.display().to_string());
    let (logged, skipped) = match &args.log {
        Some(path) => {
            let text = read(path)?;
            if is_of_events(&text) {
                let log = ArtworkLog::read(&text, &config.fold).with_context(|| shown.clone())?;
                let titles = args.titles.as_deref().map(titles).transpose()?.unwrap_or_default();
                of_events(log, titles, config, &shown)?
            } else {
                let published = decisions::read_any(&text).with_context(|| shown.clone())?;
                published.notes.iter().for_each(|note| eprintln!("{note}"));
                (published.logged, None)
            }
        }
        None => {
            let ports = open_ports(config).await?;
            let log = engine_log::read(&ports, &config.fold).await?;
            let titles = match args.titles.as_deref() {
                Some(path) => titles(path)?,
                None => engine_log::titles(&ports).await?,
            };
            of_events(log, titles, config, &shown)?
        }
    };
    let options = Options {
        confidence: args.confidence,
        resamples: args.resamples as usize,
        seed: args.seed,
        max_weight: args.max_weight.unwrap_or(f64::INFINITY),
    };
    let evaluated = logged.into_iter().map(|Logged { policy, rounds }| {
        let evaluation = evaluate(&rounds, &options).with_context(|| format!("{shown}: policy {policy}"))?;
        anyhow::Ok(PolicyReport { policy, evaluation })
    });
    let report = Report {
        log: shown.clone(),
        skipped,
        confidence: args.confidence,
        resamples: args.resamples,
        seed: args.seed,
        policies: evaluated.collect::<Result<_, _>>()?,
    };
    if args.json {
        return print_all(&format!("{}\n", serde_json::to_string(&report)?));
    }
    print_all(&table(&report)?)
}

type Policies = (Vec<Logged>, Option<Skipped>);

fn of_events(
    mut log: ArtworkLog,
    titles: Vec<Title>,
    config: &Config,
    shown: &str,
) -> anyhow::Result<Policies> {
    let Skipped { without_artwork, without_propensity, .. } = log.skipped;
    if log.is_empty() {
        bail!(
            "{shown}: no impression has both `artwork` and `propensity` ({without_artwork} without artwork, \
             {without_propensity} without propensity); send them back as they were answered, see docs/artwork.md"
        );
    }
    let logged = log.policies(titles, &config.aggregates, config.artwork.exploration_floor);
    Ok((logged, Some(log.skipped)))
}

/// Whether the lines are events: decisions have no `type`.
fn is_of_events(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(first)
        .is_ok_and(|fields| fields.contains_key("type"))
}

fn read(path: &Path) -> anyhow::Result<String> {
    let (mut file, mut text) = (TextFile::open(path)?, String::new());
    while let Some(line) = file.next_line()? {
        let line =
            line.text.with_context(|| format!("{}:{} is too long for a line", file.name(), line.number))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

fn titles(path: &Path) -> anyhow::Result<Vec<Title>> {
    let text = read(path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let place = || format!("{}, line {}: is no title", path.display(), at + 1);
            let title = Title::parse(line.as_bytes()).with_context(place)?;
            title.validate().with_context(place)?;
            Ok(title)
        })
        .collect()
}

fn table(report: &Report) -> anyhow::Result<String> {
    let percent = report.confidence * 100.0;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header([
        "policy".to_owned(),
        "estimator".to_owned(),
        "value".to_owned(),
        format!("bootstrap {percent}%"),
        format!("normal {percent}%"),
    ]);
    let interval = |interval: Interval| format!("{:.6} to {:.6}", interval.low, interval.high);
    for PolicyReport { policy, evaluation } in &report.policies {
        for (at, estimate) in evaluation.estimates.iter().enumerate() {
            table.add_row([
                if at == 0 { policy.clone() } else { String::new() },
                estimate.estimator.name().to_owned(),
                format!("{:.6}", estimate.value),
                interval(estimate.bootstrap),
                interval(estimate.normal),
            ]);
        }
    }
    let mut trust = Table::new();
    let header =
        ["policy", "rounds", "matched", "logged value", "mean weight", "largest weight", "effective rounds"];
    trust.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for PolicyReport { policy, evaluation } in &report.policies {
        let found = &evaluation.diagnostics;
        trust.add_row([
            policy.clone(),
            found.rounds.to_string(),
            found.matched.to_string(),
            format!("{:.6}", found.logged_value),
            format!("{:.4}", found.mean_weight),
            format!("{:.2}", found.max_weight),
            format!("{:.0}", found.effective_rounds),
        ]);
    }
    let mut out = format!("{table}\n{trust}\n");
    if let Some(skipped) = report.skipped {
        writeln!(
            out,
            "impressions left out: {} without artwork, {} without propensity, {} of titles with one artwork, \
             {} of artworks not in the catalogue, {} of members who were erased; {} duplicates and {} refused events",
            skipped.without_artwork,
            skipped.without_propensity,
            skipped.without_choice,
            skipped.not_in_catalogue,
            skipped.erased,
            skipped.duplicates,
            skipped.refused
        )?;
    }
    writeln!(out, "A mean weight far from 1 says that propensities are wrong or do not cover the policy.")?;
    Ok(out)
}
