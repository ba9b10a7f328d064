//! What is asked and answered over a kept-alive HTTP/1.1 connection, at as little cost to the measuring side as possible.

use super::Asked;
use anyhow::{Context, bail, ensure};

/// Longest answer.
pub(super) const MOST_BYTES: usize = 262_144;

/// What became of a query.
pub(super) enum Status {
    Answered,
    /// The node has too much to do.
    Refused,
}

/// An answer that has come as a whole.
pub(super) struct Answer {
    pub status: Status,
    /// The server closes the connection after it.
    pub is_last: bool,
}

impl Asked {
    /// The request for a member's.
    pub(super) fn request(self, member: &str) -> String {
        let path = match self {
            Self::Row => format!("/v1/members/{member}/recommendations?limit=20"),
            Self::Home => format!("/v1/members/{member}/home?limit=20"),
            Self::Trending => "/v1/trending?limit=20".to_owned(),
        };
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    }
}

impl Answer {
    /// Reads what has come so far; `None`: there is more to come.
    pub fn read(so_far: &[u8]) -> anyhow::Result<Option<Self>> {
        ensure!(so_far.len() < MOST_BYTES, "an answer longer than {MOST_BYTES} bytes");
        let Some(head_end) = so_far.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&so_far[..head_end])?.to_ascii_lowercase();
        let status = match head.get("http/1.1 ".len()..).and_then(|rest| rest.get(..3)) {
            Some("200") => Status::Answered,
            // The latter: the node had no time to read the query.
            Some("429" | "408") => Status::Refused,
            _ => bail!("not a 200, 429 or 408: {head}"),
        };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let length = length.context("an answer without content-length")?;
        let is_whole = so_far.len() >= head_end + 4 + length;
        Ok(is_whole.then(|| Self { status, is_last: head.contains("connection: close") }))
    }
}
