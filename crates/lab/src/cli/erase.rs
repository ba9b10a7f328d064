//! `nearline-lab erase`: the events of forgotten members leave an archive.

use std::path::PathBuf;

use clap::Args;
use nearline_config::Config;
use nearline_facts::{Erased, EventArchive, FactArchive, FactTable};
use nearline_ports::{Clock, SystemClock};
use nearline_terminal::print_all;

use crate::archive::unique_name;
use crate::places::Places;

/// Takes the events of forgotten members out of an archive: files that hold them are written anew, the old ones deleted,
/// and every file that is left is searched for their names.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// The archive of events.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// The folder of the facts: they go, too.
    #[arg(long, value_name = "DIR")]
    facts: Option<PathBuf>,
    /// A member of which everything goes; may be given several times.
    #[arg(long = "member", value_name = "MEMBER", required_unless_present = "forgotten")]
    members: Vec<String>,
    /// Whoever asked to be forgotten (an event `forget` in the archive): what is of before. The event itself stays.
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
pub fn run(args: &EraseArgs, config: &Config, places: &mut Places) -> anyhow::Result<()> {
    let mut archive = EventArchive::existing(places.location(&args.archive)?)?;
    let now_ms = SystemClock.now_ms();
    let limits = archive.erasable(&args.members, args.forgotten.then_some(&config.fold))?;
    let mut facts = Erased::default();
    for which in [FactTable::Members, FactTable::Decisions] {
        let Some(folder) = &args.facts else { break };
        if let Some(mut table) = FactArchive::existing(places.location(folder)?.below(which.name()), which)? {
            let erased = table.erase(&limits, unique_name, now_ms)?;
            facts.events += erased.events;
            facts.files += erased.files;
            facts.deleted += erased.deleted;
        }
    }
    let mut erased = archive.erase(&limits, unique_name, now_ms)?;
    erased.files += facts.files;
    erased.deleted += facts.deleted;
    let stays = if args.forgotten { " than that they asked to be forgotten" } else { "" };
    print_all(&if args.json {
        let mut json = serde_json::to_value(&erased)?;
        json["facts"] = facts.events.into();
        format!("{json}\n")
    } else {
        format!(
            "{} members: {} events and {} rows of facts erased, {} files written anew, {} deleted; no file holds more of them{}\n",
            erased.members, erased.events, facts.events, erased.files, erased.deleted, stays
        )
    })
}
