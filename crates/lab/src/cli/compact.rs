//! `nearline-lab compact`: facts in the order of their members, with an index.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::places::Places;
use clap::Args;
use nearline_facts::{Compaction, PAGE_ROWS, build_index, usage};
use nearline_terminal::print_all;

/// Writes facts anew in the order of their members, with small pages and an index, so that the facts of few members are
/// read in no time. Rows and columns stay as they are, and joins give the same.
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// The facts: files, folders, or quoted patterns.
    #[arg(long, value_name = "DIR", required = true, num_args = 1..)]
    facts: Vec<PathBuf>,
    /// The folder of the result.
    #[arg(short, long, value_name = "DIR", required_unless_present = "index_only")]
    output: Option<PathBuf>,
    /// Makes only the index, of a folder or file that is ordered by member already.
    #[arg(long, conflicts_with = "output")]
    index_only: bool,
    /// Rows of a page.
    #[arg(long, value_name = "ROWS", default_value_t = PAGE_ROWS, value_parser = page_rows)]
    page_rows: usize,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Threads that work; the result does not depend on them.
    #[arg(long)]
    threads: Option<usize>,
}

fn page_rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rows) if rows >= 16 => Ok(rows),
        _ => Err("a page has at least 16 rows".into()),
    }
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read or written, a folder with something in it.
pub fn compact(args: CompactArgs, places: &mut Places) -> anyhow::Result<ExitCode> {
    let threads = super::threads(args.threads);
    let facts = if args.output.is_some() { places.folders(&args.facts)? } else { args.facts };
    let (json, text) = match args.output {
        None => {
            let indexed = build_index(&facts, threads)?;
            let text = format!(
                "{}: {} runs of {} facts, {} bytes\n",
                indexed.path.display(),
                indexed.runs,
                indexed.rows,
                indexed.bytes
            );
            (serde_json::to_string(&indexed)?, text)
        }
        Some(output) => {
            let job = Compaction { facts, output, page_rows: args.page_rows, threads };
            let compacted = job.run()?;
            let cost = format!("{:.2} CPU s, {:.0} MiB\n", usage::cpu_s(), usage::peak_mib());
            (serde_json::to_string(&compacted)?, compacted.text() + &cost)
        }
    };
    print_all(&if args.json { format!("{json}\n") } else { text })?;
    Ok(ExitCode::SUCCESS)
}
