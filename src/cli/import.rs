//! `nearline import`: public data sets from their original files.

use super::publish::{Amount, Destination, DestinationArgs, Line, Publisher, put_titles};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use nearline_audience::datasets::{Imported, Report, mind, movielens};
use nearline_config::Config;
use nearline_terminal::{clean, grouped};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline import movielens ml-100k                     publish to the configured backend
  nearline import movielens ml-100k --to ml.ndjson      write ml.ndjson and ml.ndjson.titles instead
  nearline import movielens ml-25m --to ml.ndjson
  nearline import mind MINDsmall_train MINDsmall_dev --to-url http://127.0.0.1:7700

The ids of the events are made from the data: importing again within the log's duplicate window
publishes nothing twice. For large sets, write files and use `nearline publish`, which is resumable.
Files may be compressed with gzip; lines that are no UTF-8 are read as Latin-1. A line that cannot be
read is left out and listed, and the exit code is then 1; a name that is no id is written as one.")]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    set: DataSet,
    /// Write events to FILE and titles to FILE.titles (one JSON object a line) instead of publishing.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "to_url")]
    to: Option<PathBuf>,
    /// Publish over HTTP to this nearline, instead of to the configured backend.
    #[arg(long, global = true, value_name = "URL")]
    to_url: Option<String>,
}

#[derive(Debug, Subcommand)]
enum DataSet {
    /// MovieLens: 100K (u.data, u.item, u.genre), 1M, 10M (ratings.dat, movies.dat), 20M, 25M, 32M, latest
    /// (ratings.csv, movies.csv).
    Movielens {
        /// The unpacked directory.
        directory: PathBuf,
    },
    /// MIND (Microsoft News): behaviors.tsv, news.tsv, with labels or without.
    Mind {
        /// The unpacked directory; of several splits one after the other, so that the history of a member who
        /// is in both is told once.
        #[arg(required = true)]
        directories: Vec<PathBuf>,
    },
}

pub(super) async fn run(args: ImportArgs, config: &Config) -> anyhow::Result<()> {
    if let Some(path) = &args.to {
        let read = match &args.set {
            DataSet::Movielens { directory } => std::slice::from_ref(directory),
            DataSet::Mind { directories } => directories,
        };
        [path, &titles_path(path)].into_iter().try_for_each(|written| refuse_inside(written, read))?;
    }
    let imported = match &args.set {
        DataSet::Movielens { directory } => movielens::read(directory)?,
        DataSet::Mind { directories } => mind::read(directories)?,
    };
    let report = imported.report.clone();
    for sentence in report.sentences() {
        eprintln!("{}", clean(&sentence));
    }
    match &args.to {
        Some(path) => write(imported, path)?,
        None => publish(imported, args.to_url, config).await?,
    }
    all_were_read(&report)
}

fn all_were_read(report: &Report) -> anyhow::Result<()> {
    for line in &report.first_refused {
        eprintln!("{}", clean(line));
    }
    match report.refused {
        0 => Ok(()),
        count => bail!("{count} lines could not be read and were left out; everything else was imported"),
    }
}

fn titles_path(path: &Path) -> PathBuf {
    let mut titles = path.as_os_str().to_owned();
    titles.push(".titles");
    PathBuf::from(titles)
}

/// Refuses a file that lies in what is read: it may be a part of the data set.
fn refuse_inside(written: &Path, directories: &[PathBuf]) -> anyhow::Result<()> {
    let Ok(there) = written.canonicalize() else { return Ok(()) };
    let is_inside = |directory: &PathBuf| directory.canonicalize().is_ok_and(|read| there.starts_with(read));
    match directories.iter().find(|directory| is_inside(directory)) {
        None => Ok(()),
        Some(directory) => bail!(
            "{} is there already, in {}, which is read; name another file with --to",
            written.display(),
            directory.display()
        ),
    }
}

fn write(imported: Imported, path: &Path) -> anyhow::Result<()> {
    let titles_path = titles_path(path);
    let (events, titles) = (imported.events.len() as u64, imported.titles.len() as u64);
    write_lines(path, imported.events.map(Ok))?;
    write_lines(&titles_path, imported.titles.iter().map(|title| Ok(serde_json::to_string(title)?)))?;
    println!(
        "wrote {} events to {} and {} titles to {}",
        grouped(events),
        path.display(),
        grouped(titles),
        titles_path.display()
    );
    Ok(())
}

fn write_lines(path: &Path, lines: impl Iterator<Item = anyhow::Result<String>>) -> anyhow::Result<()> {
    let what = || format!("{} cannot be written", path.display());
    let mut file = BufWriter::new(std::fs::File::create(path).with_context(what)?);
    for line in lines {
        writeln!(file, "{}", line?).with_context(what)?;
    }
    file.flush().with_context(what)
}

async fn publish(imported: Imported, to_url: Option<String>, config: &Config) -> anyhow::Result<()> {
    let destination = Destination::open(&DestinationArgs { to: to_url }, config).await?;
    put_titles(&destination, imported.titles).await?;
    let amount = Amount::Lines(imported.events.len() as u64);
    let lines = imported
        .events
        .zip(1..)
        .map(|(text, number)| Ok(Line { number, text: Some(text), end: number, is_ended: true }));
    let mut publisher = Publisher::new(destination, amount);
    publisher.publish(lines, |_| Ok(())).await?;
    publisher.finish()
}
