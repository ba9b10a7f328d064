//! How events published on NATS reach the log.
//!
//! The cheap way is the server's own subject mapping, `{prefix}.events.*` to `{prefix}.log.{{partition(N,1)}}`, as in
//! `config/nats.conf`: a publisher's acknowledgement is then the log's own. A server that has no such mapping gets a
//! stream that takes `{prefix}.events.*` and that the log's streams draw from (JetStream sources): nothing is lost, but
//! the server writes each of those events twice, and the position in such an acknowledgement is not the log's.

use super::names::{source, stream_of, subjects, transform};
use super::{AT_ONCE, check, create, existing, found, limit};
use crate::nats::NatsSettings;
use crate::nats::link::Links;
use async_nats::jetstream::stream;
use async_nats::{HeaderMap, Request, RequestErrorKind};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::partition_of;
use nearline_ports::PortError;
use serde::Deserialize;
use std::time::Duration;

/// A name that no stream has: whoever expects it is told the name of the stream that it met, and nothing is stored.
const NO_STREAM: &str = "nearline-probe";
const PATIENCE: Duration = Duration::from_secs(2);

/// Where an event published on NATS would go.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::nats) enum Route {
    /// To the stream of this name.
    Stream(String),
    /// Nobody takes it: publishers are told.
    Nowhere,
    /// No answer came: this user may not publish, perhaps.
    Unknown,
}

/// Finds out where events go, and makes the stream in between where nobody takes them.
pub(super) async fn prepare(links: &Links) -> Result<(), PortError> {
    let settings = &*links.settings;
    match probe(links).await? {
        Route::Nowhere => {
            create(links, config(settings)).await?;
            draw_from_it(links).await?;
            tracing::info!(
                stream = %settings.stream,
                "NATS does not map {} to {}.log.{{{{partition({},1)}}}}: events published there go through stream {} and \
                 are written twice; config/nats.conf has the mapping",
                subjects(settings), settings.subject_prefix, settings.partitions, settings.stream
            );
        }
        Route::Stream(name) if name == settings.stream => draw_from_it(links).await?,
        Route::Stream(_) => {}
        Route::Unknown => tracing::warn!(
            "cannot find out where events published on {} go: no answer to a probe; allow this user to publish there, \
             and see that config/nats.conf's mapping is in place",
            subjects(settings)
        ),
    }
    Ok(())
}

/// Where an event of each partition goes; refuses a mapping to anything but its stream.
async fn probe(links: &Links) -> Result<Route, PortError> {
    let settings = &*links.settings;
    let mut probes = Vec::with_capacity(usize::from(settings.partitions));
    for partition in (0..settings.partitions).map(PartitionId) {
        let member = (0_u64..)
            .map(|number| format!("probe-{number}"))
            .find(|member| partition_of(member, settings.partitions) == partition)
            .expect("some name belongs to each partition");
        let subject = format!("{}.events.{member}", settings.subject_prefix);
        probes.push(async move {
            let route = route(links, subject.clone()).await?;
            Ok::<_, PortError>((partition, subject, route))
        });
    }
    let routes: Vec<(PartitionId, String, Route)> =
        futures_util::stream::iter(probes).buffered(AT_ONCE).try_collect().await?;
    let mut common = None;
    let mapped = format!("{}.log.{{{{partition({},1)}}}}", settings.subject_prefix, settings.partitions);
    for (partition, subject, route) in routes {
        let route = match route {
            Route::Stream(name) if name == stream_of(settings, partition) => Route::Stream("its own".into()),
            Route::Stream(name) if name != settings.stream => {
                return Err(PortError::Misconfigured(format!(
                    "NATS brings what is published on {subject} to stream {name}, expected {}: map {} to {mapped}, as in \
                     config/nats.conf",
                    stream_of(settings, partition),
                    subjects(settings),
                )));
            }
            route => route,
        };
        match &common {
            Some(common) if *common != route => {
                return Err(PortError::Misconfigured(format!(
                    "NATS brings some of what is published on {} to the log, but not what is published on {subject}: map \
                     it to {mapped}, as in config/nats.conf",
                    subjects(settings),
                )));
            }
            _ => common = Some(route),
        }
    }
    Ok(common.unwrap_or(Route::Unknown))
}

/// Where what is published on `subject` would go: asked without publishing anything.
pub(in crate::nats) async fn route(links: &Links, subject: String) -> Result<Route, PortError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        stream: String,
    }
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::header::NATS_EXPECTED_STREAM, NO_STREAM);
    let request = Request::new().headers(headers).payload(Bytes::new()).timeout(Some(PATIENCE));
    match links.main().client.send_request(subject, request).await {
        Ok(answer) => match serde_json::from_slice::<Answer>(&answer.payload) {
            Ok(answer) if !answer.stream.is_empty() => Ok(Route::Stream(answer.stream)),
            _ => Ok(Route::Unknown),
        },
        Err(error) => match error.kind() {
            RequestErrorKind::NoResponders => Ok(Route::Nowhere),
            RequestErrorKind::TimedOut => Ok(Route::Unknown),
            _ => Err(links.unavailable("finding out where events go", error)),
        },
    }
}

/// The log's streams take what is in the stream in between.
async fn draw_from_it(links: &Links) -> Result<(), PortError> {
    let settings = &*links.settings;
    let ingress = existing(links, &settings.stream).await?;
    check::ingress(settings, &ingress.ok_or_else(|| links.unavailable("creating a stream", "it is gone"))?)?;
    let updates: Vec<_> =
        (0..settings.partitions).map(|partition| draw(links, PartitionId(partition))).collect();
    futures_util::stream::iter(updates).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

async fn draw(links: &Links, partition: PartitionId) -> Result<(), PortError> {
    let settings = &*links.settings;
    let mut config = found(links, &stream_of(settings, partition)).await?;
    let sources = config.sources.get_or_insert_default();
    if sources.iter().any(|source| source.name == settings.stream) {
        return Ok(());
    }
    sources.push(source(settings, partition, Position(1)));
    let updated = links.main().jetstream.update_stream(config).await;
    updated
        .map(drop)
        .map_err(|error| links.unavailable("letting the log draw from the stream of events", error))
}

fn config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        description: Some(
            "Nearline: events as published, on their way to the streams of the partitions".into(),
        ),
        subjects: vec![subjects(settings)],
        subject_transform: Some(stream::SubjectTransform {
            source: subjects(settings),
            destination: transform(settings, settings.partitions),
        }),
        duplicate_window: Duration::from_secs(settings.duplicate_window_seconds),
        max_bytes: limit(settings.max_bytes),
        max_age: Duration::from_secs(settings.max_age_seconds),
        compression: Some(stream::Compression::None),
        ..super::durable(settings, &settings.stream)
    }
}
