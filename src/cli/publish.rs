//! `nearline publish`: a file of events, acknowledged, counted and resumable.

mod destination;
mod publisher;
mod resume;
mod waiting;

pub(super) use destination::{Destination, DestinationArgs, put_titles};
pub(super) use publisher::{Line, Publisher};

use anyhow::Context;
use clap::Args;
use nearline_config::Config;
use nearline_model::Title;
use resume::ResumePoint;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline publish events.ndjson --titles titles.ndjson
  nearline publish events.ndjson --to http://127.0.0.1:7700

FILE.published remembers how far the log acknowledged: run the same command again after an
interruption and it goes on there. Lines that are refused are listed with their number and the
reason; the exit code is then 1. Without --to the configured backend must be free: the embedded
directory can be open in one program only.")]
pub(super) struct PublishArgs {
    /// Events, one JSON object a line.
    file: PathBuf,
    /// Titles to put into the catalogue first, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    titles: Option<PathBuf>,
    #[command(flatten)]
    destination: DestinationArgs,
    /// Where to remember how far publishing came [default: FILE.published].
    #[arg(long, value_name = "PATH")]
    state: Option<PathBuf>,
    /// Start from the first line, whatever is remembered.
    #[arg(long)]
    restart: bool,
}

pub(super) async fn run(args: PublishArgs, config: &Config) -> anyhow::Result<()> {
    let state = args.state.clone().unwrap_or_else(|| {
        let mut name = args.file.as_os_str().to_owned();
        name.push(".published");
        PathBuf::from(name)
    });
    let titles = args.titles.as_deref().map(read_titles).transpose()?;
    let shown = args.file.display().to_string();
    let mut file = std::fs::File::open(&args.file).with_context(|| format!("{shown} cannot be read"))?;
    let total = file.metadata().with_context(|| format!("{shown} cannot be read"))?.len();
    let remembered = if args.restart { None } else { ResumePoint::load(&state)? };
    let start = remembered.unwrap_or_default();
    start.check(&mut file, &args.file, &state)?;
    file.seek(SeekFrom::Start(start.bytes)).with_context(|| format!("{shown} cannot be read"))?;

    let destination = Destination::open(&args.destination, config).await?;
    if let Some(titles) = titles {
        put_titles(&destination, titles).await?;
    }
    if start.lines > 0 {
        println!(
            "going on after line {} ({} remembers)",
            nearline_terminal::grouped(start.lines),
            state.display()
        );
    }
    let mut publisher = Publisher::new(destination, total);
    publisher.resume_from(start);
    let published = publisher.publish(lines(file, start, shown), |point| point.save(&state)).await;
    published
        .with_context(|| format!("run the same command again to go on; {} remembers", state.display()))?;
    publisher.finish()
}

/// Lines of a file from a resume point on; empty ones are counted, but not published.
fn lines(
    file: std::fs::File,
    start: ResumePoint,
    shown: String,
) -> impl Iterator<Item = anyhow::Result<Line>> {
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut number, mut end) = (start.lines, start.bytes);
    std::iter::from_fn(move || {
        loop {
            let mut bytes = Vec::new();
            match reader.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(read) => {
                    (number, end) = (number + 1, end + read as u64);
                    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                    if !text.is_empty() {
                        return Some(Ok(Line { number, text, end }));
                    }
                }
                Err(error) => {
                    return Some(
                        Err(error).with_context(|| format!("{shown}:{} cannot be read", number + 1)),
                    );
                }
            }
        }
    })
}

fn read_titles(path: &Path) -> anyhow::Result<Vec<Title>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let place = || format!("{}:{}", path.display(), at + 1);
            let title: Title = serde_json::from_str(line).with_context(place)?;
            title.validate().with_context(place)?;
            Ok(title)
        })
        .collect()
}
