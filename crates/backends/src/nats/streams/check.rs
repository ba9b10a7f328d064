//! What a stream must be like, so that what is acknowledged is kept and what is missing is known.

use super::names::{subjects, transform};
use crate::nats::NatsSettings;
use async_nats::jetstream::{kv, stream};
use nearline_ports::PortError;
use std::time::Duration;

/// A stream of the log.
pub(super) fn log(
    settings: &NatsSettings,
    wanted: &stream::Config,
    found: &stream::Config,
) -> Result<(), PortError> {
    let check = Check { found };
    if found.subjects != wanted.subjects {
        return check
            .refuse(&format!("the subjects {:?}", found.subjects), &format!("{:?}", wanted.subjects));
    }
    check.is_durable(wanted.num_replicas)?;
    check.keeps_everything()?;
    check.keeps_as_long(wanted)?;
    check.at_least("duplicate_window", found.duplicate_window, wanted.duplicate_window)?;
    let drawn = found.sources.iter().flatten().find(|source| source.name != settings.stream);
    check.unless(
        drawn.is_some(),
        "sources that are not Nearline's",
        "none, or the stream of events alone",
    )?;
    check.unless(found.subject_transform.is_some(), "a subject transform", "none")
}

/// The stream between publishers and the log.
pub(super) fn ingress(settings: &NatsSettings, found: &stream::Config) -> Result<(), PortError> {
    let name = &settings.stream;
    let subjects = vec![subjects(settings)];
    if found.subjects != subjects {
        return Err(PortError::Misconfigured(format!(
            "stream {name} has the subjects {:?}, configured are {subjects:?}; name another stream or another \
             subject prefix",
            found.subjects
        )));
    }
    let destination = found.subject_transform.as_ref().map(|transform| transform.destination.as_str());
    match destination.and_then(|destination| partitions_of(settings, destination)) {
        Some(partitions) if partitions == u64::from(settings.partitions) => {}
        Some(partitions) => {
            return Err(PortError::Misconfigured(format!(
                "stream {name} has {partitions} partitions, configured are {}; set the partitions to {partitions} or \
                 name another stream",
                settings.partitions
            )));
        }
        None => {
            return Err(PortError::Misconfigured(format!(
                "stream {name} stores events on {:?}, expected {:?}; name another stream",
                destination.unwrap_or("the subjects they are published on"),
                transform(settings, settings.partitions)
            )));
        }
    }
    let check = Check { found };
    check.is_durable(settings.replicas)?;
    check.keeps_everything()
}

/// The streams of dead letters and remediations.
pub(super) fn kept(wanted: &stream::Config, found: &stream::Config) -> Result<(), PortError> {
    let check = Check { found };
    if found.subjects != wanted.subjects {
        return check
            .refuse(&format!("the subjects {:?}", found.subjects), &format!("{:?}", wanted.subjects));
    }
    check.is_durable(wanted.num_replicas)?;
    check.keeps_as_long(wanted)?;
    check.at_most_as_many("max_msgs", found.max_messages, wanted.max_messages)?;
    check.unless(
        found.max_messages_per_subject != wanted.max_messages_per_subject,
        &format!("max_msgs_per_subject {}", found.max_messages_per_subject),
        &wanted.max_messages_per_subject.to_string(),
    )?;
    check.unless(!found.allow_direct, "allow_direct off", "on")
}

/// The stream behind a bucket.
pub(super) fn bucket(wanted: &kv::Config, found: &stream::Config) -> Result<(), PortError> {
    let check = Check { found };
    check.is_durable(wanted.num_replicas)?;
    check.at_most_as_many("history", found.max_messages_per_subject, wanted.history)?;
    check.at_least("ttl", unlimited(found.max_age), unlimited(wanted.max_age))?;
    check.unless(found.max_messages >= 0, &format!("max_msgs {}", found.max_messages), "no limit")?;
    check.unless(found.max_bytes >= 0 && found.discard == stream::DiscardPolicy::Old, "max_bytes", "no limit")
}

/// 0 stands for no limit.
fn unlimited(age: Duration) -> Duration {
    if age.is_zero() { Duration::MAX } else { age }
}

struct Check<'a> {
    found: &'a stream::Config,
}

impl Check<'_> {
    fn refuse(&self, found: &str, wanted: &str) -> Result<(), PortError> {
        Err(PortError::Misconfigured(format!(
            "stream {} has {found}, needed is {wanted}: events that were acknowledged could be lost, or missing ones not \
             be noticed; change the stream (nats stream edit), or remove it, so that it is made as it must be",
            self.found.name
        )))
    }

    fn unless(&self, wrong: bool, found: &str, wanted: &str) -> Result<(), PortError> {
        if wrong { self.refuse(found, wanted) } else { Ok(()) }
    }

    /// What is acknowledged is on as many disks as configured.
    fn is_durable(&self, replicas: usize) -> Result<(), PortError> {
        let found = self.found;
        self.unless(
            found.storage != stream::StorageType::File,
            "its messages in memory",
            "storage in files",
        )?;
        self.unless(
            found.retention != stream::RetentionPolicy::Limits,
            &format!("retention by {:?}", found.retention).to_lowercase(),
            "retention by limits",
        )?;
        self.unless(found.no_ack, "no_ack", "acknowledgements")?;
        self.unless(
            found.persist_mode == Some(stream::PersistenceMode::Async),
            "persist_mode async, which acknowledges before it writes",
            "the default",
        )?;
        self.unless(
            found.num_replicas < replicas,
            &format!("{} replicas", found.num_replicas),
            &format!("{replicas} as configured (nats.replicas)"),
        )?;
        self.unless(found.sealed, "been sealed", "a stream that takes messages")?;
        self.unless(found.mirror.is_some(), "a mirror", "a stream that takes messages itself")
    }

    /// Nothing is taken out of its middle, and nothing that fits is refused.
    fn keeps_everything(&self) -> Result<(), PortError> {
        let found = self.found;
        self.unless(found.max_messages >= 0, &format!("max_msgs {}", found.max_messages), "no limit")?;
        self.unless(
            found.max_messages_per_subject > 0,
            &format!("max_msgs_per_subject {}", found.max_messages_per_subject),
            "no limit",
        )?;
        self.unless(found.allow_message_ttl, "allow_msg_ttl", "messages without a time to live")?;
        self.unless(found.allow_rollup, "allow_rollup_hdrs", "messages that remove no others")?;
        self.unless(found.allow_message_counter, "allow_msg_counter", "a stream of messages")?;
        self.unless(found.discard_new_per_subject, "discard_new_per_subject", "no limit by subject")?;
        self.unless(
            (1..65_536).contains(&found.max_message_size),
            &format!("max_msg_size {}", found.max_message_size),
            "room for an event (fold.event_bytes)",
        )
    }

    fn keeps_as_long(&self, wanted: &stream::Config) -> Result<(), PortError> {
        self.at_least("max_age", unlimited(self.found.max_age), unlimited(wanted.max_age))?;
        self.at_most_as_many("max_bytes", self.found.max_bytes, wanted.max_bytes)
    }

    fn at_least(&self, what: &str, found: Duration, wanted: Duration) -> Result<(), PortError> {
        self.unless(
            found < wanted,
            &format!("{what} {} s", found.as_secs()),
            &if wanted == Duration::MAX { "no limit".to_owned() } else { format!("{} s", wanted.as_secs()) },
        )
    }

    /// A limit of fewer than wanted; −1 and 0 stand for none.
    fn at_most_as_many(&self, what: &str, found: i64, wanted: i64) -> Result<(), PortError> {
        let unlimited = |limit: i64| if limit <= 0 { i64::MAX } else { limit };
        let wanted_text = if wanted <= 0 { "no limit".to_owned() } else { wanted.to_string() };
        self.unless(unlimited(found) < unlimited(wanted), &format!("{what} {found}"), &wanted_text)
    }
}

/// The N of a transform `….{{partition(N,1)}}`.
fn partitions_of(settings: &NatsSettings, destination: &str) -> Option<u64> {
    let compact: String = destination.chars().filter(|c| !c.is_whitespace()).collect();
    let call =
        compact.strip_prefix(&format!("{}.events.{{{{", settings.subject_prefix))?.strip_suffix("}}")?;
    let call = call.to_ascii_lowercase();
    call.strip_prefix("partition(")?.strip_suffix(",1)")?.parse().ok()
}
