//! `nearline-lab erase`: the events of forgotten members leave an archive.

use std::path::PathBuf;

use clap::Args;
use nearline_facts::EventArchive;
use nearline_ports::{Clock, SystemClock};
use nearline_terminal::print_all;

use crate::archive::unique_name;

/// Takes the events of forgotten members out of an archive: files that hold them are written anew, the old ones deleted,
/// and every file that is left is searched for their names.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// The archive.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// A member of which everything goes; may be given several times.
    #[arg(long = "member", value_name = "MEMBER", required_unless_present = "forgotten")]
    members: Vec<String>,
    /// Whoever asked to be forgotten (an event `forget` in the archive), up to that event.
    #[arg(long)]
    forgotten: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Files that cannot be read, written or deleted.
pub fn run(args: &EraseArgs) -> anyhow::Result<()> {
    let mut archive = EventArchive::existing(&args.archive)?;
    let erased = archive.erase(&args.members, args.forgotten, unique_name, SystemClock.now_ms())?;
    print_all(&if args.json {
        format!("{}\n", serde_json::to_string(&erased)?)
    } else {
        format!(
            "{} members: {} events erased, {} files written anew, {} deleted; no file names them any more\n",
            erased.members, erased.events, erased.files, erased.deleted
        )
    })
}
