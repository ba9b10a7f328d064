//! The stream of facts: bounded, and made only where facts are put.

use super::{check, create, existing};
use crate::log_identity::new_log_identity;
use crate::nats::NatsSettings;
use crate::nats::link::Links;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{ErrorCode, stream};
use nearline_ports::PortError;
use std::collections::HashMap;
use std::time::Duration;

/// Which stream it is, in its metadata.
const IDENTITY: &str = "nearline_facts";

/// Makes the stream where it is not there, and checks it. Gives its identity.
pub(in crate::nats) async fn prepare_facts(links: &Links) -> Result<String, PortError> {
    let settings = &*links.settings;
    let wanted = config(settings);
    if existing(links, &wanted.name).await?.is_none() {
        create(links, wanted.clone()).await?;
    }
    let found = existing(links, &wanted.name).await?;
    let found = found.ok_or_else(|| links.unavailable("looking up the stream of facts", "it is gone"))?;
    check::kept(&wanted, &found)?;
    Ok(identity_of(&found))
}

/// The identity of the stream; `None`: there is none.
pub(in crate::nats) async fn fact_identity(links: &Links) -> Result<Option<String>, PortError> {
    let found = existing(links, &links.settings.fact_stream).await?;
    Ok(found.map(|found| identity_of(&found)))
}

/// Number of the last message; `None`: there is no stream.
pub(in crate::nats) async fn last_fact(links: &Links) -> Result<Option<u64>, PortError> {
    match links.main().jetstream.get_stream(&links.settings.fact_stream).await {
        Ok(found) => Ok(Some(found.cached_info().state.last_sequence)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(ref code) if code.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                Ok(None)
            }
            _ => Err(links.unavailable("asking for the end of the facts", error)),
        },
    }
}

/// One that somebody else made has none; its name does.
fn identity_of(found: &stream::Config) -> String {
    found.metadata.get(IDENTITY).cloned().unwrap_or_else(|| found.name.clone())
}

fn config(settings: &NatsSettings) -> stream::Config {
    stream::Config {
        description: Some("Nearline: facts, the newest of them".into()),
        subjects: vec![format!("{}.facts.>", settings.subject_prefix)],
        duplicate_window: Duration::from_secs(settings.duplicate_window_seconds),
        max_bytes: super::limit(settings.fact_stream_bytes),
        compression: Some(stream::Compression::S2),
        metadata: HashMap::from([(IDENTITY.to_owned(), new_log_identity())]),
        ..super::durable(settings, &settings.fact_stream)
    }
}
