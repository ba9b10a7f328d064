//! `nearline import`: public data sets from their original files.

use super::publish::{Destination, DestinationArgs, Line, Publisher, put_titles};
use anyhow::Context;
use clap::{Args, Subcommand};
use nearline_audience::datasets::{Imported, mind, movielens};
use nearline_config::Config;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline import movielens ml-100k                     publish to the configured backend
  nearline import movielens ml-100k --to ml.ndjson      write ml.ndjson and ml.ndjson.titles instead
  nearline import mind MINDsmall_train --to-url http://127.0.0.1:7700

The ids of the events are made from the data: importing again within the log's duplicate window
publishes nothing twice. For large sets, write files and use `nearline publish`, which is resumable.")]
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
    /// MovieLens 100K (u.data, u.item, u.genre) or 1M (ratings.dat, movies.dat).
    Movielens {
        /// The unpacked directory.
        directory: PathBuf,
    },
    /// MIND (Microsoft News): behaviors.tsv, news.tsv.
    Mind {
        /// The unpacked directory.
        directory: PathBuf,
    },
}

pub(super) async fn run(args: ImportArgs, config: &Config) -> anyhow::Result<()> {
    let imported = match &args.set {
        DataSet::Movielens { directory } => movielens::read(directory)?,
        DataSet::Mind { directory } => mind::read(directory)?,
    };
    match &args.to {
        Some(path) => write(&imported, path),
        None => publish(imported, args.to_url, config).await,
    }
}

fn write(imported: &Imported, path: &Path) -> anyhow::Result<()> {
    let mut titles_path = path.as_os_str().to_owned();
    titles_path.push(".titles");
    let titles_path = PathBuf::from(titles_path);
    write_lines(path, imported.events.iter().map(|event| Ok(event.clone())))?;
    write_lines(&titles_path, imported.titles.iter().map(|title| Ok(serde_json::to_string(title)?)))?;
    println!(
        "wrote {} events to {} and {} titles to {}",
        nearline_terminal::grouped(imported.events.len() as u64),
        path.display(),
        nearline_terminal::grouped(imported.titles.len() as u64),
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
    let total: u64 = imported.events.iter().map(|event| event.len() as u64 + 1).sum();
    let mut end = 0;
    let lines = imported.events.into_iter().zip(1..).map(|(text, number)| {
        end += text.len() as u64 + 1;
        Ok(Line { number, text, end })
    });
    let mut publisher = Publisher::new(destination, total);
    publisher.publish(lines, |_| Ok(())).await?;
    publisher.finish()
}
