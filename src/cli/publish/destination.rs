//! Where events are published to: a nearline over HTTP, or the configured backend itself.

use super::waiting::Waiting;
use anyhow::{Context, bail};
use clap::Args;
use nearline_api::caller::{agent, key_of_environment};
use nearline_api::events::{EventResult, EventStatus};
use nearline_config::{Config, open_ports};
use nearline_model::Title;
use nearline_ports::publish::{Published, publish};
use nearline_ports::{PortError, Ports};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Titles put in one go.
const TITLES_AT_ONCE: usize = 500;
/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of an answer at most.
const ANSWER_BYTES: u64 = 64 << 20;
/// Longest pause before one is tried again, in milliseconds.
const BACKOFF_MAX_MS: u64 = 3_200;
/// How long it is tried to learn which log it is.
const PLACE_FOR: Duration = Duration::from_secs(120);
/// How long one batch of titles is tried.
const TITLES_FOR: Duration = Duration::from_secs(15);

#[derive(Debug, Args)]
pub(crate) struct DestinationArgs {
    /// Publish over HTTP to this nearline, such as http://127.0.0.1:7700 (https: with whom this machine
    /// trusts, or those in the file SSL_CERT_FILE); without it, straight to the configured backend. Where a key is asked for, it stands in the environment variable NEARLINE_KEY.
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
}

/// What the log said of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Stored.
    Accepted,
    /// Its id was known.
    Duplicate,
    /// Refused, with the reason.
    Rejected(String),
}

/// Why a line has no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SendError {
    /// Trying again may help.
    Transient(String),
    /// It is too much for one request: less at once may help.
    TooLarge(String),
    /// It does not.
    Final(String),
}

impl From<PortError> for SendError {
    fn from(error: PortError) -> Self {
        if error.is_transient() { Self::Transient(error.to_string()) } else { Self::Final(error.to_string()) }
    }
}

/// Where to.
pub(crate) enum Destination {
    /// The configured backend.
    Backend { ports: Ports, max_event_bytes: usize },
    /// A nearline's HTTP API.
    Http { agent: ureq::Agent, base: String },
}

impl Destination {
    /// Opens what `args` name.
    pub async fn open(args: &DestinationArgs, config: &Config) -> anyhow::Result<Self> {
        let Some(url) = &args.to else {
            let ports =
                open_ports(config).await.context("opening the configured backend (or publish with a URL)")?;
            let max_event_bytes = config.fold.event_bytes;
            return Ok(Self::Backend { ports, max_event_bytes });
        };
        let agent = agent(url, REQUEST_TIMEOUT, key_of_environment().as_deref())?;
        Ok(Self::Http { agent, base: url.trim_end_matches('/').to_owned() })
    }

    /// What it is called before people.
    pub fn name(&self) -> &str {
        match self {
            Self::Backend { .. } => "the configured backend",
            Self::Http { base, .. } => base,
        }
    }

    /// Which log it is, for whoever remembers how far publishing came there: the same over HTTP as without, and
    /// another one where it was made anew.
    ///
    /// # Errors
    /// If the place does not say.
    pub async fn place(&self) -> anyhow::Result<String> {
        let (agent, base) = match self {
            Self::Backend { ports, .. } => return Ok(format!("log {}", ports.log.identity())),
            Self::Http { agent, base } => (agent, base),
        };
        let (deadline, mut backoff_ms) = (Instant::now() + PLACE_FOR, 100);
        let mut waiting = Waiting::new(self.name(), PLACE_FOR, None);
        loop {
            match get(agent, format!("{base}/v1/log")).await {
                Ok(answer) => {
                    waiting.answered();
                    return Ok(format!("log {}", answer["log"].as_str().unwrap_or_default()));
                }
                Err(SendError::Transient(detail)) if Instant::now() < deadline => {
                    waiting.failed(&detail);
                    tokio::time::sleep(Duration::from_millis(backoff_ms)).await;
                    backoff_ms = (backoff_ms * 2).min(BACKOFF_MAX_MS);
                }
                Err(
                    SendError::Transient(detail) | SendError::TooLarge(detail) | SendError::Final(detail),
                ) => bail!("{detail}"),
            }
        }
    }

    /// Sends lines in order: one answer each, or one error for all.
    pub async fn send(&self, lines: &[&str]) -> Result<Vec<Result<Outcome, SendError>>, SendError> {
        match self {
            Self::Backend { ports, max_event_bytes, .. } => Ok(append(ports, *max_event_bytes, lines).await),
            Self::Http { agent, base } => {
                let body = lines.iter().flat_map(|line| [*line, "\n"]).collect::<String>();
                let answer = post(agent, format!("{base}/v1/events"), body).await?;
                outcomes(&answer, lines.len())
            }
        }
    }
}

async fn append(ports: &Ports, max_event_bytes: usize, lines: &[&str]) -> Vec<Result<Outcome, SendError>> {
    let payloads = lines.iter().map(|line| bytes::Bytes::copy_from_slice(line.as_bytes())).collect();
    let published = publish(&*ports.log, payloads, max_event_bytes).await;
    let outcome = |published| match published {
        Published::Accepted(_) => Ok(Outcome::Accepted),
        Published::Duplicate(_) => Ok(Outcome::Duplicate),
        Published::Conflict(other) => Ok(Outcome::Rejected(format!(
            "id-conflict: the member has another event of this id, at position {}",
            other.position
        ))),
        Published::Rejected(reject) => Ok(Outcome::Rejected(reject.to_string())),
        Published::Unavailable(error) => Err(error.into()),
    };
    published.into_iter().map(outcome).collect()
}

/// One `POST`; its answer as JSON.
async fn post(agent: &ureq::Agent, url: String, body: String) -> Result<Value, SendError> {
    let agent = agent.clone();
    blocking(move || {
        let sent = agent.post(&url).header("content-type", "application/x-ndjson").send(body.as_str());
        read_answer(&url, sent)
    })
    .await
}

/// One `GET`; its answer as JSON.
async fn get(agent: &ureq::Agent, url: String) -> Result<Value, SendError> {
    let agent = agent.clone();
    blocking(move || read_answer(&url, agent.get(&url).call())).await
}

async fn blocking(
    request: impl FnOnce() -> Result<Value, SendError> + Send + 'static,
) -> Result<Value, SendError> {
    let done = tokio::task::spawn_blocking(request).await;
    done.unwrap_or_else(|error| Err(SendError::Final(format!("the request was not made: {error}"))))
}

fn read_answer(
    url: &str,
    sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, SendError> {
    let broken = |error: ureq::Error| match error.to_string() {
        // A certificate is not trusted the next time either.
        said if said.contains("peer certificate") => SendError::Final(format!(
            "{url}: {said}: it is not signed by whom this machine trusts; name the file of those to trust in SSL_CERT_FILE"
        )),
        said => SendError::Transient(format!("{url}: {said}")),
    };
    let mut answer = sent.map_err(broken)?;
    let status = answer.status().as_u16();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string().map_err(broken)?;
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    // Where some events were not acknowledged, the answer still says which.
    if (200..300).contains(&status) || value["results"].is_array() {
        return Ok(value);
    }
    let detail = value["detail"].as_str().unwrap_or(&text).chars().take(500).collect::<String>();
    let said = format!("{url} answered {status}: {}", nearline_terminal::clean(&detail));
    Err(match status {
        408 | 425 | 429 | 500 | 502 | 503 | 504 => SendError::Transient(said),
        413 => SendError::TooLarge(said),
        404 => SendError::Final(format!("{said}; is this a nearline of the same version?")),
        _ => SendError::Final(said),
    })
}

/// Reads the per-line results of `POST /v1/events`.
fn outcomes(answer: &Value, lines: usize) -> Result<Vec<Result<Outcome, SendError>>, SendError> {
    let other_version =
        |detail: String| SendError::Final(format!("{detail}; is this a nearline of the same version?"));
    let results: Vec<EventResult> = serde_json::from_value(answer["results"].clone())
        .map_err(|error| other_version(format!("the results cannot be read ({error})")))?;
    if results.len() != lines {
        return Err(other_version(format!("{} results for {lines} lines", results.len())));
    }
    let outcome = |result: EventResult| {
        let said = |text: Option<_>| text.map(|text: std::borrow::Cow<'_, str>| text.into_owned());
        let (reason, detail) = (said(result.reason), said(result.detail.map(Into::into)));
        let (reason, detail) = (reason.unwrap_or_default(), detail.unwrap_or_default());
        match result.status {
            EventStatus::Accepted => Ok(Outcome::Accepted),
            EventStatus::Duplicate => Ok(Outcome::Duplicate),
            EventStatus::Rejected | EventStatus::Conflict => {
                Ok(Outcome::Rejected(format!("{reason}: {detail}")))
            }
            EventStatus::Unavailable => Err(SendError::Transient(format!("unavailable: {detail}"))),
        }
    };
    Ok(results.into_iter().map(outcome).collect())
}

/// Puts titles into the catalogue. What is too much for one request is put in halves.
pub(crate) async fn put_titles(destination: &Destination, titles: Vec<Title>) -> anyhow::Result<()> {
    let count = titles.len() as u64;
    let mut chunks: Vec<&[Title]> = titles.chunks(TITLES_AT_ONCE).rev().collect();
    while let Some(chunk) = chunks.pop() {
        let mut backoff_ms = 100;
        let deadline = Instant::now() + TITLES_FOR;
        let mut waiting = Waiting::new(destination.name(), TITLES_FOR, None);
        loop {
            match put_chunk(destination, chunk).await {
                Ok(()) => break waiting.answered(),
                Err(SendError::TooLarge(_)) if chunk.len() > 1 => {
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    chunks.extend([second, first]);
                    break;
                }
                Err(SendError::Transient(detail)) if Instant::now() < deadline => {
                    waiting.failed(&detail);
                    tokio::time::sleep(Duration::from_millis(backoff_ms)).await;
                    backoff_ms = (backoff_ms * 2).min(BACKOFF_MAX_MS);
                }
                Err(
                    SendError::Transient(detail) | SendError::TooLarge(detail) | SendError::Final(detail),
                ) => bail!("titles were not put: {detail}"),
            }
        }
    }
    println!("put {} titles into the catalogue", nearline_terminal::grouped(count));
    Ok(())
}

async fn put_chunk(destination: &Destination, titles: &[Title]) -> Result<(), SendError> {
    match destination {
        Destination::Backend { ports, .. } => {
            ports.catalogue.put(titles.to_vec()).await?;
            Ok(())
        }
        Destination::Http { agent, base } => {
            let mut body = String::new();
            for title in titles {
                let line =
                    serde_json::to_string(title).map_err(|error| SendError::Final(error.to_string()))?;
                body.push_str(&line);
                body.push('\n');
            }
            let answer = post(agent, format!("{base}/v1/titles"), body).await?;
            let results = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
            match results.iter().find(|result| result["status"] == "rejected") {
                Some(rejected) => {
                    Err(SendError::Final(format!("{} was refused: {}", rejected["id"], rejected["detail"])))
                }
                None => Ok(()),
            }
        }
    }
}
