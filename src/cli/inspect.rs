//! `nearline inspect`: what is stored, read without the engine.

mod erasure;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use comfy_table::Table;
use nearline_config::{Config, open_stored_ports};
use nearline_model::PartitionId;
use nearline_model::aggregates::ALL;
use nearline_model::catalogue::Catalogue;
use nearline_model::delta::EPOCH_MS;
use nearline_model::identifier::{id_problem, partition_of};
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::verify::verify_partition;
use nearline_ports::{Ports, stored};
use nearline_terminal::{clean, print_clean, print_json};
use std::fmt::Write;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline inspect member m17
  nearline inspect member m17 --prove-erased
  nearline inspect title t3 --json
  nearline inspect partition 0 --verify

The embedded directory can be open in one program only: stop `nearline serve` first.")]
pub(super) struct InspectArgs {
    #[command(subcommand)]
    what: What,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A member's state: history, list, opinions.
    Member {
        /// The member's id.
        id: String,
        /// Say what is left of a member that was erased, in which place and until when; fails if the state knows anything.
        #[arg(long)]
        prove_erased: bool,
    },
    /// A title's counters.
    Title {
        /// The title's id.
        id: String,
    },
    /// A partition's position, members and bytes.
    Partition {
        /// Its number, from 0.
        number: u16,
        /// Fold the log again from the start and compare with what is stored, byte for byte.
        #[arg(long)]
        verify: bool,
    },
}

pub(super) async fn run(args: InspectArgs, config: &Config) -> anyhow::Result<()> {
    let ports = open_stored_ports(config).await?;
    let mut out = String::new();
    let result = match args.what {
        What::Member { id, prove_erased: true } => {
            erasure::prove(&ports, config, &id, args.json, &mut out).await
        }
        What::Member { id, .. } => member(&ports, &id, args.json, &mut out).await,
        What::Title { id } => title(&ports, config, &id, args.json, &mut out).await,
        What::Partition { number, verify } => {
            partition(&ports, config, number, verify, args.json, &mut out).await
        }
    };
    match args.json {
        true => print_json(&out)?,
        false => print_clean(&out)?,
    }
    result
}

fn check_id(id: &str) -> anyhow::Result<()> {
    match id_problem(id) {
        Some(problem) => bail!("the id {problem}"),
        None => Ok(()),
    }
}

async fn catalogue(ports: &Ports) -> anyhow::Result<Catalogue> {
    let mut catalogue = Catalogue::default();
    let entries = ports.catalogue.watch().await?.recv().await.unwrap_or_default();
    entries.into_iter().for_each(|entry| catalogue.put_newer(entry));
    Ok(catalogue)
}

async fn member(ports: &Ports, id: &str, json: bool, out: &mut String) -> anyhow::Result<()> {
    check_id(id)?;
    let partition = partition_of(id, ports.log.partitions());
    let stored::StoredMember { snapshot, bytes } = stored::member(ports, id, true).await?;
    if bytes == 0 {
        bail!("nothing is stored of member {id} (partition {partition}); events may still wait to be folded");
    }
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&snapshot)?)?;
        return Ok(());
    }
    let catalogue = catalogue(ports).await?;
    writeln!(out, "member {id}: partition {partition}, position {}, {bytes} bytes", snapshot.position)?;
    let newest = snapshot.newest_at.as_deref().unwrap_or("never");
    writeln!(
        out,
        "newest event {newest}; {} event ids remembered; {} impressions open",
        snapshot.recent_ids,
        snapshot.open_impressions.len()
    )?;
    if let Some(erased_at) = &snapshot.erased_at {
        writeln!(out, "erased {erased_at}")?;
    }
    let mut table = table(&["watched", "title", "name", "seconds", "opinion"]);
    for watched in snapshot.history.iter().rev() {
        let opinion = snapshot.opinions.iter().find(|opinion| opinion.title == watched.title);
        let opinion = opinion.map(|opinion| match (opinion.thumb, opinion.rating) {
            (Some(thumb), Some(rating)) => format!("thumb {thumb}, {rating} stars"),
            (Some(thumb), None) => format!("thumb {thumb}"),
            (None, Some(rating)) => format!("{rating} stars"),
            (None, None) => String::new(),
        });
        let seconds = match (watched.watched_s, watched.duration_s) {
            (0, 0) => String::new(),
            (watched, 0) => watched.to_string(),
            (watched, duration) => format!("{watched} of {duration}"),
        };
        table.add_row([
            format_rfc3339(i64::from(watched.at_s) * 1_000),
            watched.title.to_string(),
            name(&catalogue, &watched.title),
            seconds,
            opinion.unwrap_or_default(),
        ]);
    }
    writeln!(out, "{table}")?;
    if !snapshot.list.is_empty() {
        let list: Vec<String> =
            snapshot.list.iter().map(|title| format!("{title} {}", name(&catalogue, title))).collect();
        writeln!(out, "list: {}", list.join(", "))?;
    }
    Ok(())
}

fn name(catalogue: &Catalogue, title: &str) -> String {
    let name = catalogue.get(title).and_then(|title| title.name.as_deref()).unwrap_or_default();
    clean(name).into_owned()
}

async fn title(ports: &Ports, config: &Config, id: &str, json: bool, out: &mut String) -> anyhow::Result<()> {
    check_id(id)?;
    let (aggregates, catalogue) =
        (stored::aggregates(ports, &config.aggregates).await?, catalogue(ports).await?);
    let (symbol, known) = (aggregates.title(id), catalogue.get(id));
    if symbol.is_none() && known.is_none() {
        bail!("nothing is known of title {id}: it is not in the catalogue, and nothing was counted of it");
    }
    let mut rows = Vec::new();
    for dimension in [ALL].into_iter().chain(aggregates.dimension_names().filter(|name| *name != ALL)) {
        let counters = symbol.and_then(|symbol| aggregates.counters(dimension)?.title(symbol));
        for (epoch, counts) in counters.into_iter().flat_map(|counters| &counters.epochs) {
            rows.push((dimension, format_rfc3339(i64::from(*epoch) * EPOCH_MS), *counts));
        }
    }
    let plays = symbol.map_or(0, |symbol| aggregates.plays(symbol));
    if json {
        let epochs: Vec<_> = rows
            .iter()
            .map(|(dimension, from, counts)| serde_json::json!({"dimension": dimension, "from": from, "counts": counts}))
            .collect();
        let value = serde_json::json!({
            "title": id, "catalogue": known.map(|title| &**title), "plays": plays, "epochs": epochs,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(());
    }
    writeln!(out, "title {id} {}: {plays} plays ever", name(&catalogue, id))?;
    if let Some(known) = known {
        writeln!(
            out,
            "genres {}; year {}",
            clean(&known.genres.join(", ")),
            known.year.map_or("?".into(), |year| year.to_string())
        )?;
    }
    let mut table = table(&["dimension", "30 minutes from", "impressions", "played of these", "plays"]);
    for (dimension, from, counts) in rows {
        table.add_row([
            dimension.to_owned(),
            from,
            counts.impressions.to_string(),
            counts.attributed.to_string(),
            counts.plays.to_string(),
        ]);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

async fn partition(
    ports: &Ports,
    config: &Config,
    number: u16,
    verify: bool,
    json: bool,
    out: &mut String,
) -> anyhow::Result<()> {
    let partitions = ports.log.partitions();
    if number >= partitions {
        bail!("there is no partition {number}; there are {partitions}, from 0 to {}", partitions - 1);
    }
    let partition = PartitionId(number);
    let position = ports.store.position(partition).await?;
    let symbols = ports.store.symbols(partition).await?;
    let bounds = ports.log.bounds(partition).await?;
    let (members, bytes) = stored_size(ports, partition).await?;
    let troubles = ports.quarantine.troubles(partition).await?;
    let quarantined: Vec<_> = troubles.quarantine.iter().map(|entry| entry.position).collect();
    let mut value = serde_json::json!({
        "partition": partition, "position": position, "log_first": bounds.first, "log_last": bounds.last,
        "members": members, "member_bytes": bytes, "symbols": symbols.len(), "quarantined": quarantined,
    });
    if !json {
        writeln!(out, "partition {partition}: position {position}, log {} to {}", bounds.first, bounds.last)?;
        writeln!(out, "{members} members in {bytes} bytes; {} symbols", symbols.len())?;
        for entry in troubles.quarantine.iter() {
            let (position, since) = (entry.position, format_rfc3339(entry.at_ms));
            writeln!(
                out,
                "position {position} is stepped over since {since}: {} crashes, {}",
                entry.attempts,
                clean(&entry.message)
            )?;
        }
    }
    let report = match verify {
        true => Some(verify_partition(ports, partition, &config.fold).await.context("verification")?),
        false => None,
    };
    if let Some(report) = &report {
        value["verified"] = serde_json::json!({
            "position": report.position, "events": report.events, "members": report.members,
            "rejected": report.rejected, "mismatches": report.mismatches,
        });
        if !json {
            writeln!(
                out,
                "folded {} events again up to position {} ({} rejected)",
                report.events, report.position, report.rejected
            )?;
            match report.is_equal() {
                true => writeln!(out, "stored state equals the fold of the log, byte for byte")?,
                false => report.mismatches.iter().try_for_each(|mismatch| writeln!(out, "  {mismatch}"))?,
            }
        }
    }
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    }
    match report {
        Some(report) if !report.is_equal() => {
            bail!("partition {partition}: stored state differs from the fold of the log")
        }
        _ => Ok(()),
    }
}

/// Members of a partition, and the bytes of their stored forms.
async fn stored_size(ports: &Ports, partition: PartitionId) -> anyhow::Result<(u64, u64)> {
    let (mut members, mut bytes, mut cursor) = (0, 0, 0);
    loop {
        let (next, some) = ports.store.scan_members(partition, cursor).await?;
        members += some.len() as u64;
        bytes += some.iter().map(|(_, stored)| stored.len() as u64).sum::<u64>();
        if next == 0 {
            return Ok((members, bytes));
        }
        cursor = next;
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY);
    table.set_header(header);
    table
}
