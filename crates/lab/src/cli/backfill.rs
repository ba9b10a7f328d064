//! `nearline-lab backfill`: facts of members, made of archived events.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use nearline_config::Config;
use nearline_facts::{EventArchive, usage};
use nearline_model::PartitionId;
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::sequence_of;
use nearline_terminal::print_all;

use crate::backfill::{BackfillJob, backfill};
use crate::places::Places;

/// Makes facts of members of archived events, by the code that serves: for what was never captured. What the tables have is
/// not made again, and a run that was broken off goes on where it ended.
///
/// Every change becomes a fact, so that the state at any moment is among them; the engine captures those that it committed
/// or answered from, with the same bytes. Settings of `[fold]` and `[facts]` are those of --config.
#[derive(Debug, Args)]
pub struct BackfillArgs {
    /// The archive of events that `nearline-lab archive` makes.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The folder of the facts: the table `members` in it.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Partitions to take, so that several machines share the work; all unless given.
    #[arg(long, value_name = "N,N", value_delimiter = ',')]
    partitions: Vec<u16>,
    /// Of a member's changes within so many facts, only the last becomes one: smaller, and the state is exact only at the ends of
    /// files.
    #[arg(long)]
    coalesce: bool,
    /// Facts of a file at most, about.
    #[arg(long, value_name = "FACTS", default_value_t = 100_000)]
    file_facts: usize,
    /// Partitions done side by side; as many as there are processors unless given.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// A folder that is no archive, events that cannot be folded, a folder that cannot be written.
pub fn run(args: BackfillArgs, config: &Config, places: &mut Places) -> anyhow::Result<()> {
    let (archive, to) = (places.location(&args.archive)?, places.location(&args.to)?);
    let events = EventArchive::existing(archive.clone())?;
    let count = events.partitions();
    let wanted: Vec<u16> =
        if args.partitions.is_empty() { (0..count).collect() } else { args.partitions.clone() };
    let total: u64 = wanted
        .iter()
        .filter_map(|partition| {
            let partition = PartitionId(*partition);
            sequence_of(events.last(partition), partition, count)
        })
        .sum();
    let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(total) };
    let template = "{bar:40} {human_pos} of {human_len} events, {per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(template)?);
    let job = BackfillJob {
        archive,
        to,
        partitions: args.partitions,
        file_facts: args.file_facts.max(1),
        threads: super::threads(args.threads),
        fold: config.fold.clone(),
        capture: CaptureSettings { titles: config.facts.titles, every_change: !args.coalesce },
    };
    let report = backfill(&job, Timestamp::now().as_millisecond(), &|events| bar.inc(events))?;
    bar.finish_and_clear();
    print_all(&if args.json {
        format!("{}\n", serde_json::to_string(&report)?)
    } else {
        format!("{}{:.2} CPU s, {:.0} MiB\n", report.text(), usage::cpu_s(), usage::peak_mib())
    })
}
