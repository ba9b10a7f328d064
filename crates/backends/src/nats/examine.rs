//! Whether NATS is as the engine needs it, without changing anything: for `nearline doctor`.

use super::NatsSettings;
use super::link::Links;
use super::rights;
use super::streams::{Standing, standings};
use crate::server_version::major_minor;
use async_nats::jetstream::account::Account;
use nearline_ports::finding::Finding;
use std::sync::Arc;
use std::time::Instant;

const PART: &str = "nats";
/// The oldest server that the streams can be made on: subject transforms and metadata.
const OLDEST: (u32, u32) = (2, 10);

/// Looks at everything that the engine needs of NATS.
///
/// And which streams and buckets are not there.
pub async fn examine(settings: NatsSettings, event_bytes: usize) -> (Vec<Finding>, Vec<String>) {
    let links = match Links::connect(Arc::new(settings)).await {
        Ok(links) => Arc::new(links),
        Err(error) => {
            let advice = "start NATS there, or correct nats.url and what this node signs in with";
            return (vec![Finding::fail(PART, error.to_string(), advice)], Vec::new());
        }
    };
    let looked = links.clone();
    // On the links' own runtime: what the client library spawns stays there.
    let looking = links.runtime().spawn(async move { look(&looked, event_bytes).await });
    looking.await.unwrap_or_else(|error| {
        (vec![Finding::fail(PART, error.to_string(), "report this: it is a bug")], Vec::new())
    })
}

async fn look(links: &Links, event_bytes: usize) -> (Vec<Finding>, Vec<String>) {
    let info = links.main().client.server_info();
    let version = format!("server {} of version {}", info.server_name, info.version);
    let mut findings = vec![
        Finding::fail_unless(major_minor(&info.version) >= OLDEST, PART, version, "run NATS 2.10 or newer"),
        Finding::fail_unless(
            info.max_payload >= event_bytes,
            PART,
            format!(
                "messages of up to {} bytes are taken, events have up to {event_bytes}",
                info.max_payload
            ),
            "raise max_payload of the server, or lower fold.event_bytes before the first start",
        ),
    ];
    let account = match account(links).await {
        Ok((account, found)) => {
            findings.extend(found);
            account
        }
        Err(finding) => {
            findings.push(finding);
            return (findings, Vec::new());
        }
    };
    let (found, missing) = streams(links).await;
    findings.extend(found);
    findings.extend(room_for_streams(&account, missing.len()));
    findings.extend(rights::examine(links, PART).await);
    (findings, missing)
}

/// Whether there is JetStream, and room in it.
async fn account(links: &Links) -> Result<(Account, Vec<Finding>), Finding> {
    let asked = Instant::now();
    let account = links.main().jetstream.query_account().await.map_err(|error| {
        // 10008: there are too few servers to elect a leader of.
        let advice = match error.to_string() {
            says if says.contains("10008") || says.contains("temporarily unavailable") => {
                "bring a majority of the JetStream servers back (`nats server report jetstream`)"
            }
            says if says.contains("timed out") || says.contains("deadline") => {
                "let this user call $JS.API.> and subscribe to _INBOX.>; if it may, look whether the servers have a leader"
            }
            _ => "switch JetStream on for the account (config/nats.conf), and let this user call $JS.API.>",
        };
        Finding::fail(PART, format!("JetStream does not answer: {error}"), advice)
    })?;
    let took_ms = asked.elapsed().as_secs_f64() * 1_000.0;
    let (used, most) = (account.storage, account.limits.max_storage);
    let room = match most {
        Some(most) if most >= 0 => format!("{used} of {most} bytes of storage used"),
        _ => format!("{used} bytes of storage used, without a limit of the account"),
    };
    let is_full = most.is_some_and(|most| most > 0 && used as f64 > 0.9 * most as f64);
    let advice = "raise the account's storage, or bound the log with nats.max_bytes";
    let answered = Finding::ok(PART, format!("JetStream answered in {took_ms:.1} ms"));
    Ok((account, vec![answered, Finding::warn_unless(!is_full, PART, room, advice)]))
}

/// Whether the account takes the streams and buckets that are still to be made.
fn room_for_streams(account: &Account, missing: usize) -> Option<Finding> {
    let most = usize::try_from(account.limits.max_streams?).ok().filter(|most| *most > 0)?;
    let all = account.streams + missing;
    let says = format!(
        "{} streams and buckets are there and {missing} to be made; the account takes {most}",
        account.streams
    );
    let advice = format!("raise the account's streams to {all} or more (max_streams)");
    Some(Finding::fail_unless(all <= most, PART, says, &advice))
}

/// Streams and buckets against the settings.
async fn streams(links: &Links) -> (Vec<Finding>, Vec<String>) {
    let (mut fitting, mut missing, mut findings) = (0, Vec::new(), Vec::new());
    for (name, standing) in standings(links).await {
        match standing {
            Standing::Fits => fitting += 1,
            Standing::Missing => missing.push(name),
            Standing::Wrong(error) => findings.push(Finding::fail(
                PART,
                error.to_string(),
                "make the stream as the message says: the engine does not start with it as it is",
            )),
        }
    }
    let says = match missing.as_slice() {
        [] => format!("{fitting} streams and buckets fit the settings"),
        [name] => {
            format!("{fitting} streams and buckets fit the settings; {name} is made at the first start")
        }
        [first, ..] => format!(
            "{fitting} streams and buckets fit the settings; {} ({first}, …) are made at the first start",
            missing.len()
        ),
    };
    findings.push(Finding::ok(PART, says));
    (findings, missing)
}
