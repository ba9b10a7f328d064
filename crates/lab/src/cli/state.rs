//! `nearline-lab state`: a member as the engine knew it at a past moment.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use nearline_config::Config;
use nearline_terminal::print_all;

use crate::places::Places;
use crate::state::state_at;

/// Prints a member's state at a past moment as JSON: archived events, folded by the code that serves, up to the last one
/// that the log had.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// The archive that `nearline-lab archive` makes.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The member.
    #[arg(long, value_name = "MEMBER")]
    member: String,
    /// The moment, like 2026-03-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    at: Timestamp,
}

/// Runs the command.
///
/// # Errors
/// A folder that is no archive, events that cannot be read, and a member that nothing was known of.
pub fn run(args: &StateArgs, config: &Config, places: &mut Places) -> anyhow::Result<()> {
    let fold = config.fold.clone();
    let state = state_at(&places.folder(&args.archive)?, &args.member, args.at.as_millisecond(), &fold)?;
    match state.snapshot {
        Some(snapshot) => print_all(&format!("{}\n", serde_json::to_string_pretty(&snapshot)?)),
        None => bail!(
            "nothing was known of member {} at {}: of its partition, {} events up to position {} had come by then",
            args.member,
            args.at,
            state.events,
            state.position
        ),
    }
}
