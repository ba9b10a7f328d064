//! `nearline publish`: a file of events, acknowledged, counted and resumable.

mod destination;
mod publisher;
mod refused;
mod resume;
mod waiting;

pub(super) use destination::{Destination, DestinationArgs, put_titles};
pub(super) use publisher::{Amount, Line, Publisher};

use anyhow::Context;
use clap::Args;
use nearline_audience::text_file::TextFile;
use nearline_audience::title_file::read_titles;
use nearline_config::Config;
use refused::RefusedLines;
use resume::{Memory, go_on};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline publish events.ndjson --titles titles.ndjson
  nearline publish events.ndjson.gz --to http://127.0.0.1:7700
  nearline-lab to-jsonl events.parquet | nearline publish -

FILE.published remembers how far the log acknowledged, for each place that was published to: run the
same command again after an interruption and it goes on there. Lines that are refused are listed with
their number and the reason, and written into FILE.refused; the exit code is then 1. Correct them there
and publish that file: what was answered of FILE is not sent again. Files may be compressed with gzip; a line that is
no UTF-8 is read as Latin-1. Without --to the configured backend must be free: the embedded
directory can be open in one program only.")]
pub(super) struct PublishArgs {
    /// Events, one JSON object a line; `-`: standard input.
    file: PathBuf,
    /// Titles to put into the catalogue first, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    titles: Option<PathBuf>,
    #[command(flatten)]
    destination: DestinationArgs,
    /// Where to remember how far publishing came [default: FILE.published; of standard input nothing].
    #[arg(long, value_name = "PATH")]
    state: Option<PathBuf>,
    /// Where to write lines that are refused [default: FILE.refused; of standard input nowhere].
    #[arg(long, value_name = "PATH")]
    refused: Option<PathBuf>,
    /// Start from the first line, whatever is remembered.
    #[arg(long)]
    restart: bool,
}

impl PublishArgs {
    /// A file beside the one that is published; none beside standard input.
    fn beside(&self, ending: &str) -> Option<PathBuf> {
        let mut name = self.file.as_os_str().to_owned();
        (name != "-").then(|| {
            name.push(ending);
            PathBuf::from(name)
        })
    }
}

pub(super) async fn run(args: PublishArgs, config: &Config) -> anyhow::Result<()> {
    let state = args.state.clone().or_else(|| args.beside(".published"));
    let refused = args.refused.clone().or_else(|| args.beside(".refused"));
    refuse_read(&args, state.as_deref(), refused.as_deref())?;
    let titles = args.titles.as_deref().map(read_titles).transpose()?;
    let mut file = TextFile::open(&args.file)?;
    if args.restart
        && let Some(state) = state.as_deref().filter(|state| state.exists())
    {
        std::fs::remove_file(state).with_context(|| format!("{} cannot be removed", state.display()))?;
    }
    let destination = Destination::open(&args.destination, config).await?;
    let mut memory = Memory::open(state, destination.place().await?)?;
    let start = memory.point();
    go_on(&mut file, start, &memory)?;
    if let Some(titles) = titles {
        put_titles(&destination, titles).await?;
    }
    if start.lines > 0 {
        let line = nearline_terminal::grouped(start.lines);
        println!("going on after line {line} ({} remembers)", memory.shown());
    }
    let plain = std::fs::metadata(&args.file).ok().filter(|about| about.is_file() && !file.is_compressed());
    let amount = plain.map_or(Amount::Unknown, |about| Amount::Bytes(about.len()));
    let mut publisher = Publisher::new(destination, amount);
    publisher.resume_from(start);
    publisher.refuse_into(refused.map(RefusedLines::into_file).unwrap_or_default());
    let published = publisher.publish(lines(&mut file), |point| memory.save(*point)).await;
    published.with_context(|| memory.advice())?;
    if file.latin1_lines() > 0 {
        eprintln!("{} lines are no UTF-8 and were read as Latin-1", file.latin1_lines());
    }
    publisher.finish()
}

/// Refuses to write refused lines over what is read, or remembers.
fn refuse_read(args: &PublishArgs, state: Option<&Path>, refused: Option<&Path>) -> anyhow::Result<()> {
    let Some(refused) = refused else { return Ok(()) };
    let others = [Some(args.file.as_path()), args.titles.as_deref(), state];
    for other in others.into_iter().flatten() {
        anyhow::ensure!(
            !is_same_file(other, refused),
            "--refused names {}, which is read or remembers how far publishing came; name another file",
            other.display()
        );
    }
    Ok(())
}

/// Whether two paths lead to one file, be it there or not.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| std::fs::metadata(path).ok();
    match (file(one), file(other)) {
        (Some(one), Some(other)) => one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (None, None) => {
            let folder = |path: &Path| {
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                parent.unwrap_or(Path::new(".")).canonicalize().ok()
            };
            one.file_name() == other.file_name() && folder(one) == folder(other)
        }
        _ => false,
    }
}

/// Lines of a file from where it stands; empty ones are counted, but not published.
fn lines(file: &mut TextFile) -> impl Iterator<Item = anyhow::Result<Line>> {
    std::iter::from_fn(move || {
        loop {
            let line = match file.next_line().transpose()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            let text = line.text.map(|text| text.trim().to_owned());
            if text.as_deref() != Some("") {
                return Some(Ok(Line { number: line.number, text, end: line.end, is_ended: line.is_ended }));
            }
        }
    })
}
