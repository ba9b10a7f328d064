//! `nearline dead-letters`: events that were refused, and why.

use crate::config::{Config, open_ports};
use clap::{Args, Subcommand};
use nearline_actors::ports::DeadLetter;
use nearline_model::timestamp::format_rfc3339;
use std::fmt::Write;

#[derive(Debug, Args)]
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
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: DeadLettersArgs, config: &Config) -> anyhow::Result<()> {
    let DeadLettersCommand::List { after, limit, json } = args.command;
    let ports = open_ports(config).await?;
    let letters = ports.dead_letters.list(after, limit).await?;
    let mut out = String::new();
    for letter in &letters {
        if json {
            writeln!(out, "{}", as_json(letter))?;
        } else {
            let DeadLetter { partition, position, log_ms, reason, detail, payload } = letter;
            let payload = String::from_utf8_lossy(payload);
            let shown: String = payload.chars().take(200).collect();
            writeln!(
                out,
                "{position}  {partition}  {}  {reason}: {detail}\n    {shown}",
                format_rfc3339(*log_ms)
            )?;
        }
    }
    if letters.is_empty() && !json {
        writeln!(out, "no dead letters after position {after}")?;
    }
    super::print_all(&out)?;
    if letters.len() == limit
        && let Some(last) = letters.last()
    {
        eprintln!("there may be more: --after {}", last.position);
    }
    Ok(())
}

fn as_json(letter: &DeadLetter) -> serde_json::Value {
    serde_json::json!({
        "partition": letter.partition,
        "position": letter.position,
        "log_time": format_rfc3339(letter.log_ms),
        "reason": letter.reason,
        "detail": letter.detail,
        "payload": String::from_utf8_lossy(&letter.payload),
    })
}
