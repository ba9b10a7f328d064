//! Requests to publish: `{prefix}.publish`, shared among the nodes as a queue group.
//!
//! Errors are told as services of NATS tell them, in the headers `Nats-Service-Error` and `Nats-Service-Error-Code`, beside a
//! problem document.

use super::link::{Links, is_inbox};
use async_nats::{HeaderMap, Message, Subject, Subscriber};
use async_trait::async_trait;
use futures_util::StreamExt;
use nearline_ports::event_requests::{Asker, RequestAnswer};
use nearline_ports::trace::TraceContext;
use nearline_ports::{EventRequest, EventRequestReader, EventRequests, PortError};
use std::sync::Arc;

/// What the headers of an answer may take.
const HEADER_BYTES: usize = 1_024;

/// Where requests come in.
#[derive(Clone)]
pub struct NatsEventRequests {
    links: Arc<Links>,
}

impl NatsEventRequests {
    pub(super) fn new(links: Arc<Links>) -> Self {
        Self { links }
    }
}

#[async_trait]
impl EventRequests for NatsEventRequests {
    async fn listen(&self) -> Result<Box<dyn EventRequestReader>, PortError> {
        let (link, prefix) = (self.links.main(), &self.links.settings.subject_prefix);
        let failed =
            |error: &dyn std::fmt::Display| self.links.unavailable("listening to requests to publish", error);
        let subscribed = link.client.queue_subscribe(format!("{prefix}.publish"), format!("{prefix}-nodes"));
        let subscriber = subscribed.await.map_err(|error| failed(&error))?;
        // So that the server knows of it.
        link.client.flush().await.map_err(|error| failed(&error))?;
        Ok(Box::new(Requests { links: self.links.clone(), subscriber }))
    }

    fn answer_bytes(&self) -> usize {
        self.links.main().client.max_payload().saturating_sub(HEADER_BYTES)
    }
}

struct Requests {
    links: Arc<Links>,
    subscriber: Subscriber,
}

#[async_trait]
impl EventRequestReader for Requests {
    async fn next(&mut self) -> Option<EventRequest> {
        let Message { headers, payload, reply, .. } = self.subscriber.next().await?;
        let headers = headers.unwrap_or_default();
        // Names are as publishers write them, unlike those of HTTP.
        let header = |name: &str| {
            let mut named = headers.iter().filter(|(found, _)| found.to_string().eq_ignore_ascii_case(name));
            named.next().and_then(|(_, values)| values.first()).map(|value| value.as_str())
        };
        let asker = reply
            .filter(|reply| is_inbox(reply))
            .map(|subject| Box::new(NatsAsker { links: self.links.clone(), subject }) as _);
        Some(EventRequest {
            body: payload,
            content_encoding: header("content-encoding").map(str::to_owned),
            trace: header("traceparent").and_then(TraceContext::parse),
            asker,
        })
    }
}

struct NatsAsker {
    links: Arc<Links>,
    subject: Subject,
}

#[async_trait]
impl Asker for NatsAsker {
    async fn answer(self: Box<Self>, answer: RequestAnswer) -> Result<(), PortError> {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", answer.content_type);
        if let Some((status, title)) = answer.problem {
            headers.insert("Nats-Service-Error", title);
            headers.insert("Nats-Service-Error-Code", status.to_string());
        }
        let sent = self.links.main().client.publish_with_headers(self.subject, headers, answer.body);
        sent.await.map_err(|error| self.links.unavailable("answering a request to publish", error))
    }
}
