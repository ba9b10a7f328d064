//! `nearline inspect member M --prove-erased`: what is left of a member, and until when.

use anyhow::bail;
use nearline_config::{BackendKind, Config};
use nearline_model::Position;
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::Ports;
use nearline_ports::erasure::{self, Erasure};
use serde_json::json;
use std::fmt::Write;

pub(super) async fn prove(
    ports: &Ports,
    config: &Config,
    member: &str,
    json: bool,
    out: &mut String,
) -> anyhow::Result<()> {
    super::check_id(member)?;
    let left = erasure::look(ports, member).await?;
    let until = until(&left, config);
    if json {
        let document = json!({
            "member": member, "erased": left.is_erased(), "erased_at": left.erased_at, "forgotten": left.forgotten,
            "known": left.known, "recent_ids": left.recent_ids, "later_events": left.later_events, "in_log": left.in_log, "in_log_until": until,
            "letters": left.letters, "quarantined": left.quarantined, "facts": left.facts,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    } else {
        tell(member, &left, &until, out)?;
    }
    if !left.is_erased() {
        bail!(
            "member {member} was not erased, as far as is stored: publish `forget`, or DELETE /v1/members/{member}, and let \
             it be folded and committed"
        );
    }
    Ok(())
}

fn tell(member: &str, left: &Erasure, until: &str, out: &mut String) -> std::fmt::Result {
    let at = left.erased_at.as_deref().unwrap_or("never");
    writeln!(out, "member {member}: partition {}, erased {at}", left.partition)?;
    match (left.known, left.later_events) {
        (0, _) => writeln!(out, "state        nothing but that it was erased")?,
        (known, 0) => writeln!(out, "state        {known} things are known")?,
        (known, later) => writeln!(out, "state        {known} things, of {later} events after the erasure")?,
    }
    writeln!(
        out,
        "             fingerprints of {} event ids, so that what is sent again is not taken for new",
        left.recent_ids
    )?;
    let gone = |count: usize, what: &str, until: &str| match count {
        0 => "nothing".to_owned(),
        _ => format!("{count} {what}, {until}"),
    };
    writeln!(out, "log          {}", gone(left.in_log, "events from before", until))?;
    let drop = format!("until they are dropped: nearline dead-letters drop {}", positions(&left.letters));
    writeln!(out, "dead letters {}", gone(left.letters.len(), "from before", &drop))?;
    let kept = "as positions with a panic's message, as long as the state";
    writeln!(out, "quarantine   {}", gone(left.quarantined.len(), "events from before", kept))?;
    let facts =
        "until newer ones have taken their room (facts.stream_bytes); out of archives: nearline-lab erase";
    writeln!(out, "facts        {}", gone(left.facts, "from before", facts))
}

fn positions(of: &[Position]) -> String {
    of.iter().map(Position::to_string).collect::<Vec<_>>().join(" ")
}

/// How long the log keeps what it holds.
fn until(left: &Erasure, config: &Config) -> String {
    match config.backend.kind {
        BackendKind::Embedded if config.embedded.retention_events > 0 => {
            format!(
                "until {} newer events are behind them (embedded.retention_events)",
                config.embedded.retention_events
            )
        }
        BackendKind::Cluster if config.nats.max_age_seconds > 0 => {
            let age_ms = i64::try_from(config.nats.max_age_seconds * 1_000).unwrap_or(i64::MAX);
            let end = left.newest_in_log_ms.saturating_add(age_ms);
            format!("until {} at the latest (nats.max_age_seconds)", format_rfc3339(end))
        }
        BackendKind::Cluster if config.nats.max_bytes > 0 => {
            format!(
                "until newer ones have taken their room ({} bytes, nats.max_bytes)",
                config.nats.max_bytes
            )
        }
        BackendKind::Embedded => "for good: embedded.retention_events is 0".to_owned(),
        BackendKind::Cluster => "for good: nats.max_age_seconds and nats.max_bytes are 0".to_owned(),
    }
}
