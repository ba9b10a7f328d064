//! Requests to an operators' listener, tried again while it is away.

use nearline_api::caller::{CallerError, agent};
use nearline_ports::PortError;
use serde_json::Value;
use std::time::Duration;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of an answer at most: a page, with what it ends with.
const ANSWER_BYTES: u64 = 256 << 20;
/// Pauses before a request is made again.
const PAUSES_MS: [u64; 5] = [100, 200, 400, 800, 1_600];

#[derive(Debug, Clone)]
pub(super) struct Requests {
    agent: ureq::Agent,
    base: String,
}

impl Requests {
    pub fn to(url: &str, key: Option<&str>) -> Result<Self, PortError> {
        let agent = agent(url, TIMEOUT, key).map_err(|error| {
            PortError::Misconfigured(match error {
                CallerError::NoUrl(url) => format!(
                    "{url:?} is no URL of an operators' listener; expected such as http://127.0.0.1:7701, or https://…"
                ),
                CallerError::NoKey => error.to_string(),
            })
        })?;
        Ok(Self { agent, base: url.trim_end_matches('/').to_owned() })
    }

    /// The body of an answer.
    pub async fn get(&self, path: String) -> Result<Vec<u8>, PortError> {
        let mut pauses = PAUSES_MS.into_iter();
        loop {
            let (requests, path) = (self.clone(), path.clone());
            let asked = tokio::task::spawn_blocking(move || requests.ask(&path)).await;
            let answer = asked.map_err(|error| self.away(error.to_string()))?;
            match (answer, pauses.next()) {
                (Err(error), Some(pause_ms)) if error.is_transient() => {
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
                (answer, _) => return answer,
            }
        }
    }

    fn ask(&self, path: &str) -> Result<Vec<u8>, PortError> {
        let mut answer = self
            .agent
            .get(format!("{}{path}", self.base))
            .call()
            .map_err(|error| self.away(error.to_string()))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_vec();
        let body = body.map_err(|error| self.away(error.to_string()))?;
        if status == 200 {
            return Ok(body);
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or_default();
        let said = format!("{}{path} answered {status}: {detail}", self.base);
        Err(match (status, problem["type"].as_str()) {
            (_, Some("/problems/log-damaged")) => {
                PortError::Damaged { what: format!("the log of {}", self.base), detail: detail.to_owned() }
            }
            (401 | 403, _) => PortError::Misconfigured(format!(
                "{said} (a key of the scope admin stands in the environment variable NEARLINE_KEY)"
            )),
            (408 | 425 | 429 | 500 | 502..=504, _) => self.away(said),
            (404, _) => PortError::Misconfigured(format!(
                "{said} (is this the operators' listener, `admin.address`, of a nearline of the same version?)"
            )),
            _ => PortError::Misconfigured(said),
        })
    }

    fn away(&self, detail: String) -> PortError {
        PortError::Unavailable { what: format!("the engine at {}", self.base), detail }
    }

    pub fn strange(&self, detail: String) -> PortError {
        PortError::Damaged {
            what: format!("an answer of {}", self.base),
            detail: format!("{detail}; is this a nearline of the same version?"),
        }
    }

    pub fn only_read(&self) -> PortError {
        PortError::Misconfigured(format!("{} is only read this way", self.base))
    }

    pub fn other_log(&self, before: &str, now: &str) -> PortError {
        PortError::Misconfigured(format!(
            "{} serves the log {now} now, and served {before} when reading began: its positions mean nothing in the other one",
            self.base
        ))
    }
}
