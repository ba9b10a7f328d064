//! Requests to publish events that come another way than over HTTP, and are answered where they came from.

use crate::PortError;
use crate::trace::TraceContext;
use async_trait::async_trait;
use bytes::Bytes;

/// Where requests come in. Of all nodes that listen one gets each request, and nobody keeps those that come while none
/// listens: who asks is told, and asks again.
#[async_trait]
pub trait EventRequests: Send + Sync {
    /// Listens from now on, until what it gives is dropped.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if the server is away.
    async fn listen(&self) -> Result<Box<dyn EventRequestReader>, PortError>;

    /// Bytes that an answer may have at most.
    fn answer_bytes(&self) -> usize;
}

/// Requests as they come.
#[async_trait]
pub trait EventRequestReader: Send {
    /// The next one; `None` once no more will come. Cancel-safe.
    async fn next(&mut self) -> Option<EventRequest>;
}

/// A request to publish events.
pub struct EventRequest {
    /// A JSON array, one object, or an object a line.
    pub body: Bytes,
    /// How the body is packed, if it says so.
    pub content_encoding: Option<String>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// Where the answer goes; `None`: nobody waits for one.
    pub asker: Option<Box<dyn Asker>>,
}

/// Whoever waits for an answer.
#[async_trait]
pub trait Asker: Send {
    /// Sends the answer.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] if it could not be handed over; it may be lost on the way as well.
    async fn answer(self: Box<Self>, answer: RequestAnswer) -> Result<(), PortError>;
}

/// What a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestAnswer {
    /// A JSON document.
    pub body: Bytes,
    /// What kind of document.
    pub content_type: &'static str,
    /// HTTP's status and the title of the problem, where it is one.
    pub problem: Option<(u16, &'static str)>,
}
