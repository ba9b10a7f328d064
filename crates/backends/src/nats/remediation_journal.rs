//! The journal of remediations: one message each, on the subject of its id, so that what is known
//! later replaces it. The stream is bounded: of too many the oldest are dropped.

use super::consumer::StreamConsumer;
use super::link::Links;
use super::publisher::{Outgoing, Publisher};
use async_nats::jetstream::consumer::DeliverPolicy;
use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::control::remediation::Remediation;
use nearline_ports::{PortError, RemediationJournal};
use std::sync::Arc;

const READ_AT_ONCE: usize = 256;

/// The journal in JetStream.
pub struct NatsJournal {
    links: Arc<Links>,
    publisher: Publisher,
}

impl NatsJournal {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { publisher: Publisher::new(links.clone()), links }
    }
}

#[async_trait]
impl RemediationJournal for NatsJournal {
    async fn put(&self, remediation: &Remediation) -> Result<(), PortError> {
        let outgoing = Outgoing {
            subject: format!("{}.remediations.{}", self.links.settings.subject_prefix, remediation.id),
            headers: None,
            payload: Bytes::from(serde_json::to_vec(remediation).expect("a struct of text is JSON")),
        };
        for ack in self.publisher.publish(vec![outgoing]).await {
            ack?;
        }
        Ok(())
    }

    async fn list(&self, limit: usize) -> Result<Vec<Remediation>, PortError> {
        let settings = &self.links.settings;
        let subject = format!("{}.remediations.*", settings.subject_prefix);
        let stream = &settings.remediation_stream;
        let mut consumer =
            StreamConsumer::open(&self.links, stream, Some(subject), DeliverPolicy::All).await?;
        let (mut remediations, mut left) = (Vec::new(), consumer.pending_at_open());
        while left > 0 {
            for delivered in consumer.next_batch(READ_AT_ONCE).await? {
                left = delivered.place.pending;
                match serde_json::from_slice::<Remediation>(&delivered.message.payload) {
                    Ok(remediation) => remediations.push(remediation),
                    Err(error) => {
                        let subject = &delivered.message.subject;
                        tracing::warn!(%subject, %error, "a remediation cannot be read; it is left out");
                    }
                }
            }
        }
        // A later message of one id comes later: the sort is stable, and the last of equals is kept.
        remediations.reverse();
        remediations.sort_by(|a, b| b.id.cmp(&a.id));
        remediations.dedup_by(|a, b| a.id == b.id);
        remediations.truncate(limit);
        Ok(remediations)
    }
}
