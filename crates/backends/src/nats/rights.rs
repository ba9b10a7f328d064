//! Whether the server lets this user do what the engine does, asked for without doing it: for `nearline doctor`.
//!
//! What a user may not publish to is answered by nobody: the request waits in vain. Whoever may publish is answered by the
//! stream, which refuses what is meant for another one, by the API, which knows no such stream, or at once by the server: nobody
//! listens there.

use super::NatsSettings;
use super::link::Links;
use super::streams::own_subject;
use async_nats::{Request, RequestErrorKind};
use futures_util::StreamExt;
use futures_util::future::join_all;
use nearline_model::PartitionId;
use nearline_ports::finding::Finding;
use std::collections::BTreeSet;

/// Last part of subjects that nobody takes, and the stream that everything is said to be meant for.
const NOWHERE: &str = "nearline-doctor";
/// Calls of the API that the engine makes, with the parts that a subject has behind them.
const CALLS: [(&str, usize); 9] = [
    ("STREAM.CREATE", 1),
    ("STREAM.UPDATE", 1),
    ("STREAM.INFO", 1),
    ("STREAM.PURGE", 1),
    ("STREAM.MSG.GET", 1),
    ("DIRECT.GET", 1),
    ("CONSUMER.CREATE", 2),
    ("CONSUMER.DELETE", 2),
    ("CONSUMER.MSG.NEXT", 2),
];

/// What is tried, and the right that it takes.
fn publications(settings: &NatsSettings) -> Vec<(String, String)> {
    let prefix = &settings.subject_prefix;
    let own = own_subject(settings, PartitionId(0), NOWHERE);
    let mut tried = vec![(own, format!("{prefix}.log.>"))];
    for stream in ["events", "deadletters", "remediations", "facts", "queries"] {
        tried.push((format!("{prefix}.{stream}.{NOWHERE}"), format!("{prefix}.{stream}.>")));
    }
    for bucket in [&settings.catalogue_bucket, &settings.nodes_bucket] {
        tried.push((format!("$KV.{bucket}.{NOWHERE}"), format!("$KV.{bucket}.>")));
    }
    for (call, parts) in CALLS {
        let behind = [NOWHERE; 2][..parts].join(".");
        tried.push((format!("$JS.API.{call}.{behind}"), format!("$JS.API.{call}.>")));
    }
    tried
}

/// Whether this user may publish, call and hear as nodes do.
pub(super) async fn examine(links: &Links, part: &'static str) -> Vec<Finding> {
    let tried = publications(&links.settings);
    let asked = tried
        .into_iter()
        .map(|(subject, right)| async move { (!may_publish(links, subject).await).then_some(right) });
    let refused: BTreeSet<String> = join_all(asked).await.into_iter().flatten().collect();
    let prefix = &links.settings.subject_prefix;
    // What cannot be published there cannot be heard here either.
    let asks_itself_in_vain = refused.contains(&format!("{prefix}.queries.>"));
    let publishes = if refused.is_empty() {
        Finding::ok(
            part,
            format!("this user may publish to {prefix}.log.>, and to whatever else the engine does"),
        )
    } else {
        let list = refused.into_iter().collect::<Vec<_>>().join(", ");
        let advice = format!("let this user publish to {list} and subscribe to _INBOX.>");
        Finding::fail(part, format!("publishing to {list} is not let through"), advice)
    };
    if asks_itself_in_vain {
        return vec![publishes];
    }
    let heard = format!("{prefix}.queries.{NOWHERE}");
    let hears = if may_hear(links, heard).await {
        Finding::ok(part, format!("this user may subscribe to {prefix}.queries.*"))
    } else {
        let advice = format!("let this user subscribe to {prefix}.queries.*, {prefix}.publish and _INBOX.>");
        Finding::fail(part, format!("subscribing to {prefix}.queries.* is not let through"), advice)
    };
    vec![publishes, hears]
}

async fn may_publish(links: &Links, subject: String) -> bool {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(async_nats::header::NATS_EXPECTED_STREAM, NOWHERE);
    let request = Request::new().headers(headers);
    let asked = links.main().client.send_request(subject, request).await;
    asked.is_ok() || asked.is_err_and(|error| error.kind() == RequestErrorKind::NoResponders)
}

/// Whether what is published there comes to a subscriber here.
async fn may_hear(links: &Links, subject: String) -> bool {
    let client = &links.main().client;
    let Ok(mut heard) = client.subscribe(subject.clone()).await else { return false };
    let asked = client.request(subject, Default::default());
    tokio::select! {
        biased;
        message = heard.next() => message.is_some(),
        // Nobody listens, though this client does.
        _ = asked => false,
    }
}
