//! `nearline dead-letters`: events that were refused, why, and what to do with them.

use anyhow::bail;
use clap::{Args, Subcommand};
use nearline_api::dead_letters::document;
use nearline_config::{Config, open_stored_ports};
use nearline_model::quarantine::Quarantined;
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{PartitionId, Position};
use nearline_ports::redrive::redrive;
use nearline_ports::{DeadLetter, PortError, Ports};
use nearline_terminal::{clean, print_clean, print_json};
use std::fmt::Write;

#[derive(Debug, Args)]
#[command(after_help = "\
An embedded directory is held by the program that serves it: while it runs, ask its operators' listener,
such as curl -X POST http://127.0.0.1:7701/admin/dead-letters/17/redrive")]
pub(super) struct DeadLettersArgs {
    #[command(subcommand)]
    command: DeadLettersCommand,
}

#[derive(Debug, Subcommand)]
enum DeadLettersCommand {
    /// List refused events, oldest first.
    #[command(
        after_help = "Examples:\n  nearline dead-letters list\n  nearline dead-letters list --json | jq -r .reason | sort | uniq -c"
    )]
    List {
        /// Only those after this position of the log.
        #[arg(long, default_value_t = Position::START)]
        after: Position,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// Only those with this reason, such as poison.
        #[arg(long)]
        reason: Option<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one refused event whole, as JSON.
    Show {
        /// Its position, as listed.
        position: Position,
    },
    /// Publish refused events again, each exactly once, however often this is called.
    #[command(
        after_help = "Publish again what was refused for a reason that is gone: a mistake in the program is mended, a limit is
raised. What is still refused gets a new letter.

Example:
  nearline dead-letters redrive 17 23"
    )]
    Redrive {
        /// Their positions, as listed.
        #[arg(required = true)]
        positions: Vec<Position>,
    },
    /// Step over an event that kills the whole process, which nothing inside it can notice.
    #[command(
        after_help = "Stop every program that owns the partition first: this takes it over. What is folded already is refused.
The event goes to the dead letters when the fold comes to it, and can be published again from there.

Example:
  nearline dead-letters quarantine 3 1700042 --message \"stack overflow, ticket 17\""
    )]
    Quarantine {
        /// The partition.
        partition: u16,
        /// The event's position in the log.
        position: Position,
        /// Why, for the dead letter.
        #[arg(long)]
        message: String,
    },
    /// Drop the letters of refused events for good. The log still has the events, unfolded.
    Drop {
        /// Their positions, as listed.
        #[arg(required = true)]
        positions: Vec<Position>,
    },
}

pub(super) async fn run(args: DeadLettersArgs, config: &Config) -> anyhow::Result<()> {
    let ports = open_stored_ports(config).await?;
    match args.command {
        DeadLettersCommand::List { after, limit, reason, json } => {
            list(&ports, after, limit, reason.as_deref(), json).await
        }
        DeadLettersCommand::Show { position } => show(&ports, position).await,
        DeadLettersCommand::Redrive { positions } => {
            for position in positions {
                let redriven = redrive(&ports, position, config.fold.event_bytes).await?;
                let how = if redriven.already { "was published again already" } else { "published again" };
                nearline_terminal::print_all(&format!(
                    "{position}: {how}, at position {}\n",
                    redriven.position
                ))?;
            }
            Ok(())
        }
        DeadLettersCommand::Quarantine { partition, position, message } => {
            quarantine(&ports, config, PartitionId(partition), position, &message).await
        }
        DeadLettersCommand::Drop { positions } => {
            for position in positions {
                if ports.dead_letters.get(position).await?.is_none() {
                    bail!("there is no dead letter of position {position}; nothing was dropped for it");
                }
                ports.dead_letters.remove(position).await?;
                nearline_terminal::print_all(&format!("{position}: dropped\n"))?;
            }
            Ok(())
        }
    }
}

/// Puts one event into quarantine by hand, under an epoch of its own.
async fn quarantine(
    ports: &Ports,
    config: &Config,
    partition: PartitionId,
    position: Position,
    message: &str,
) -> anyhow::Result<()> {
    let partitions = ports.log.partitions();
    if partition.0 >= partitions {
        bail!("there is no partition {}; there are {partitions}, from 0 to {}", partition.0, partitions - 1);
    }
    let committed = ports.store.position(partition).await?;
    if position <= committed {
        bail!(
            "partition {partition} is folded up to position {committed}: {position} cannot be stepped over"
        );
    }
    let bounds = ports.log.bounds(partition).await?;
    if position > bounds.last {
        bail!("the log of partition {partition} ends at position {}: {position} is not there", bounds.last);
    }
    let mut reader = ports.log.open_reader(partition, position.before()).await?;
    let found = reader.next_batch(1).await?;
    if let Some(record) = found.first()
        && record.position != position
    {
        bail!("position {position} is not one of partition {partition}; its next is {}", record.position);
    }
    let settings = serde_json::to_string(&config.fold)?;
    let acquired = ports.store.acquire(partition, ports.log.identity(), &settings).await?;
    let entry = Quarantined::new(position, 0, message, super::now_ms());
    ports.quarantine.quarantine(partition, acquired.epoch, &entry).await?;
    nearline_terminal::print_all(&format!(
        "position {position} of partition {partition} will be stepped over\n"
    ))
}

async fn list(
    ports: &Ports,
    after: Position,
    limit: usize,
    reason: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    let letters = ports.dead_letters.list(after, limit).await?;
    let mut out = String::new();
    for letter in letters.iter().filter(|letter| reason.is_none_or(|reason| letter.reason == reason)) {
        let redrive = match ports.dead_letters.redrive(letter.position).await {
            // What is damaged there hides no letter; publishing again will say so.
            Err(PortError::Damaged { .. }) => None,
            found => found?,
        };
        if json {
            writeln!(out, "{}", serde_json::to_string(&document(letter, redrive))?)?;
        } else {
            let DeadLetter { partition, position, log_ms, reason, detail, payload } = letter;
            let payload = String::from_utf8_lossy(payload);
            let shown: String = payload.chars().take(200).collect();
            let (reason, detail, shown) = (clean(reason), clean(detail), clean(&shown));
            let redriven = match redrive {
                None => String::new(),
                Some(redrive) => match redrive.position {
                    Some(position) => format!("  [published again at {position}]"),
                    None => "  [redrive unfinished: redrive it again]".to_owned(),
                },
            };
            writeln!(
                out,
                "{position}  {partition}  {}  {reason}: {detail}{redriven}\n    {shown}",
                format_rfc3339(*log_ms)
            )?;
        }
    }
    if out.is_empty() && !json {
        let with = reason.map_or(String::new(), |reason| format!(" with the reason {reason}"));
        writeln!(out, "no dead letters{with} after position {after}")?;
    }
    match json {
        true => print_json(&out)?,
        false => print_clean(&out)?,
    }
    if letters.len() == limit
        && let Some(last) = letters.last()
    {
        eprintln!("there may be more: --after {}", last.position);
    }
    Ok(())
}

async fn show(ports: &Ports, position: Position) -> anyhow::Result<()> {
    let Some(letter) = ports.dead_letters.get(position).await? else {
        bail!(
            "there is no dead letter of position {position}; `nearline dead-letters list` shows those there are"
        );
    };
    let redrive = match ports.dead_letters.redrive(position).await {
        Err(PortError::Damaged { .. }) => None,
        found => found?,
    };
    print_json(&format!("{}\n", serde_json::to_string_pretty(&document(&letter, redrive))?))
}
