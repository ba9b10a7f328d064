//! Connections to NATS and the runtime that they live on.

use super::NatsSettings;
use super::access;
use async_nats::connection::State;
use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, Event, ServerError};
use nearline_ports::PortError;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

/// For how long no other refusal is logged, and one is told beside requests that fail.
const SAID_FOR: Duration = Duration::from_secs(10);
const PING_INTERVAL: Duration = Duration::from_secs(2);
const RUNTIME_THREADS: usize = 2;
/// Far above what readers ask for at once, so that no message is ever dropped on the way.
const SUBSCRIPTION_CAPACITY: usize = 1 << 20;
/// Appends wait for their turn in `publisher`; the library's own limit blocks those who hold acks.
const LIBRARY_ACKS: usize = 1 << 16;

/// One connection. `disconnects` counts how often it was lost.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    pub(super) disconnects: watch::Receiver<u64>,
}

impl Link {
    async fn connect(settings: &NatsSettings, name: &str, said: &Arc<Said>) -> Result<Self, PortError> {
        let (lost, disconnects) = watch::channel(0);
        let lost = Arc::new(lost);
        let timeout = Duration::from_millis(settings.timeout_ms);
        crate::tls::choose_provider();
        let (servers, options) = access::access(settings)?;
        let said = said.clone();
        let options = options
            .name(name)
            .ping_interval(PING_INTERVAL)
            .connection_timeout(timeout)
            .request_timeout(Some(timeout))
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .reconnect_delay_callback(|attempts| Duration::from_millis((attempts as u64 * 25).min(500)))
            .event_callback(move |event| {
                let (lost, said) = (lost.clone(), said.clone());
                async move {
                    match event {
                        Event::Disconnected | Event::Closed => {
                            lost.send_modify(|count| *count += 1);
                            metrics::counter!("nearline_nats_disconnects_total").increment(1);
                            tracing::warn!("connection to NATS lost");
                        }
                        Event::Connected => tracing::debug!("connected to NATS"),
                        Event::ServerError(ServerError::SlowConsumer(id)) => {
                            tracing::warn!(id, "NATS says that this client is slow");
                        }
                        Event::ServerError(error) => said.hear(error.to_string()),
                        event => tracing::warn!(%event, "NATS client"),
                    }
                }
            });
        let client = options.connect(servers).await.map_err(|error| {
            let refused = access::refused(&access::shown(&settings.url), &error);
            let reason = chain(&error);
            let hint = crate::tls::hint("nats", &reason);
            refused.unwrap_or_else(|| unavailable(settings, "connecting", format!("{reason}{hint}")))
        })?;
        let jetstream = ContextBuilder::new()
            .timeout(timeout)
            .ack_timeout(timeout)
            .max_ack_inflight(LIBRARY_ACKS)
            .build(client.clone());
        Ok(Self { client, jetstream, disconnects })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

/// What the server has refused last: who is not let do something is told so beside the request, which only times out.
#[derive(Debug, Default)]
struct Said(Mutex<Option<Refusal>>);

#[derive(Debug)]
struct Refusal {
    error: String,
    heard: Instant,
    /// When one was logged last.
    logged: Instant,
}

impl Said {
    /// Logs it, unless something was logged a moment ago: who is not let do something tries on and on, of one thing after another.
    fn hear(&self, error: String) {
        let (mut last, now) = (self.0.lock(), Instant::now());
        let logged = last.as_ref().map(|last| last.logged).filter(|logged| now - *logged < SAID_FOR);
        match logged {
            Some(_) => tracing::debug!(%error, "NATS refuses something"),
            None => {
                tracing::warn!(%error, "NATS refuses something; what more it does is logged in ten seconds")
            }
        }
        *last = Some(Refusal { error, heard: now, logged: logged.unwrap_or(now) });
    }

    /// What was refused a moment ago.
    fn lately(&self) -> Option<String> {
        let last = self.0.lock();
        last.as_ref().filter(|last| last.heard.elapsed() < SAID_FOR).map(|last| last.error.clone())
    }
}

/// What a reply may be sent to: an inbox, as clients name them, or what servers put in its place on the way between accounts and
/// clusters. A server lets whoever asks name any subject, also one that this node may publish to and the asker may not: an answer
/// there would be done in the asker's stead.
pub(super) fn is_inbox(reply: &str) -> bool {
    let is_inbox = ["_INBOX.", "_R_.", "_GR_."].iter().any(|prefix| reply.starts_with(prefix));
    if !is_inbox {
        metrics::counter!("nearline_replies_refused_total").increment(1);
        tracing::debug!(reply, "no answer is sent there: it is no inbox");
    }
    is_inbox
}

/// The runtime, shut down in the background so that it may be dropped anywhere.
struct OwnRuntime(Option<Runtime>);

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// All connections of one adapter.
pub(super) struct Links {
    pub(super) settings: Arc<NatsSettings>,
    main: Link,
    readers: Vec<Link>,
    next_reader: AtomicUsize,
    runtime: OwnRuntime,
    said: Arc<Said>,
}

impl Links {
    pub(super) async fn connect(settings: Arc<NatsSettings>) -> Result<Self, PortError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("nearline-nats")
            .enable_all()
            .build()
            .map_err(|error| unavailable(&settings, "starting its runtime", error))?;
        let runtime = OwnRuntime(Some(runtime));
        let handle = handle(&runtime).clone();
        let (wanted, said) = (settings.clone(), Arc::<Said>::default());
        let heard = said.clone();
        let connecting = handle.spawn(async move {
            let main = Link::connect(&wanted, "nearline", &heard).await?;
            let mut readers = Vec::new();
            for _ in 0..wanted.connections.max(1) {
                readers.push(Link::connect(&wanted, "nearline readers", &heard).await?);
            }
            Ok::<_, PortError>((main, readers))
        });
        let (main, readers) =
            connecting.await.map_err(|error| unavailable(&settings, "connecting", error))??;
        Ok(Self { settings, main, readers, next_reader: AtomicUsize::new(0), runtime, said })
    }

    /// The connection that publishes and asks.
    pub(super) fn main(&self) -> &Link {
        &self.main
    }

    /// A connection for a new reader: each in turn.
    pub(super) fn reader(&self) -> &Link {
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed);
        &self.readers[turn % self.readers.len()]
    }

    pub(super) fn runtime(&self) -> &Handle {
        handle(&self.runtime)
    }

    /// A transient failure of `doing`.
    pub(super) fn unavailable(&self, doing: &str, error: impl std::fmt::Display) -> PortError {
        match self.said.lately() {
            Some(said) => unavailable(&self.settings, doing, format!("{error} (the server says: {said})")),
            None => unavailable(&self.settings, doing, error),
        }
    }
}

fn handle(runtime: &OwnRuntime) -> &Handle {
    runtime.0.as_ref().expect("the runtime is taken only when dropped").handle()
}

fn unavailable(settings: &NatsSettings, doing: &str, error: impl std::fmt::Display) -> PortError {
    PortError::Unavailable {
        what: format!("NATS at {}", access::shown(&settings.url)),
        detail: format!("{doing}: {error}"),
    }
}

/// An error with its causes: the reason of a failed handshake is the last of them.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let mut text = error.to_string();
    for cause in causes.map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
