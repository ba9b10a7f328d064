//! Requests that are no HTTP: the library answers an empty 400 (or 408, for a head that does not come) before any
//! of our code runs, and closes. Around the connection stands what puts a problem document in its place, which
//! says what could not be read: mostly a character of the query that had to be encoded.

use super::problem::{Problem, ProblemKind};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Bytes that are read at once where requests begin: each request takes kilobytes until it is answered.
const AT_ONCE: usize = 1_024;
/// How far it is looked for the beginning of a request in what was read.
const LOOKED: usize = 512;
/// Bytes of what was read last that are kept, to say what was wrong with it.
const SEEN_BYTES: usize = 2_048;
/// How the library's own answers begin; ours have a body.
const NO_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n";
const NO_ROOM: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n";
const NO_HEAD: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n";

/// A connection that remembers what was read last.
pub(super) struct Explaining<T> {
    stream: T,
    seen: Vec<u8>,
    /// Whether the last read is of a body: much is read at once then.
    in_body: bool,
    /// Whether as much was read at once as is read before anything is answered.
    is_full: bool,
    /// Whether what was seen is answered: what is read next is another request.
    is_answered: bool,
    /// How long a client may take nothing of what it asked for.
    patience: Duration,
    /// Until when something of what is to be written must be taken; none: nothing waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// What stands in the place of the library's answer, and how much of it is written.
    instead: Option<(Vec<u8>, usize)>,
}

impl<T> Explaining<T> {
    pub(super) fn new(stream: T, patience: Duration) -> Self {
        Self {
            stream,
            seen: Vec::new(),
            in_body: false,
            is_full: false,
            is_answered: false,
            patience,
            stalled: None,
            instead: None,
        }
    }
}

impl<T: AsyncWrite + Unpin> Explaining<T> {
    /// Writes, and gives up a client that has taken nothing for long: what it was sent takes room here.
    fn write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patiently(context, written)
    }

    fn patiently<R>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if done.is_ready() {
            // Reading waits for this, too.
            if self.stalled.take().is_some() {
                context.waker().wake_by_ref();
            }
            return done;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        metrics::counter!("nearline_http_stalled_connections_total").increment(1);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing of its answer")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Explaining<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // No more requests while what was answered is not taken,
        if self.stalled.is_some() {
            return Poll::Pending;
        }
        // and, where there are many, those that are here first.
        if std::mem::take(&mut self.is_full) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let outcome = if self.in_body || into.remaining() <= AT_ONCE {
            Pin::new(&mut self.stream).poll_read(context, into)
        } else {
            let mut bytes = [0; AT_ONCE];
            let mut few = ReadBuf::new(&mut bytes);
            let outcome = Pin::new(&mut self.stream).poll_read(context, &mut few);
            into.put_slice(few.filled());
            outcome
        };
        let read = &into.filled()[before..];
        if !read.is_empty() {
            let looked = &read[..read.len().min(LOOKED)];
            self.in_body = !looked.windows(7).any(|part| part == b"HTTP/1.");
            self.is_full = !self.in_body && read.len() >= AT_ONCE;
            if std::mem::take(&mut self.is_answered) {
                self.seen.clear();
            }
            let room = SEEN_BYTES.saturating_sub(self.seen.len());
            self.seen.extend_from_slice(&read[..read.len().min(room)]);
        }
        outcome
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Explaining<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.instead.is_none()
            && let Some(answer) = instead_of(bytes, &self.seen)
        {
            self.instead = Some((answer, 0));
        }
        self.is_answered = true;
        let Some((answer, mut written)) = self.instead.take() else { return self.write(context, bytes) };
        while written < answer.len() {
            match self.write(context, &answer[written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.instead = Some((answer, written));
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patiently(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The answer to give instead of `bytes`, if these are an empty one of the library's.
fn instead_of(bytes: &[u8], seen: &[u8]) -> Option<Vec<u8>> {
    let problem = if bytes.starts_with(NO_REQUEST) {
        let what = what_is_wrong(seen);
        metrics::counter!("nearline_http_requests_total", "route" => "none", "status" => "400").increment(1);
        Problem::new(ProblemKind::MalformedRequest, what)
    } else if bytes.starts_with(NO_ROOM) {
        metrics::counter!("nearline_http_requests_total", "route" => "none", "status" => "431").increment(1);
        Problem::new(
            ProblemKind::HeadTooLarge,
            "address and headers are larger than 128 KiB, or more than 96 headers; send less",
        )
    } else if bytes.starts_with(NO_HEAD) {
        metrics::counter!("nearline_http_requests_total", "route" => "none", "status" => "408").increment(1);
        Problem::new(ProblemKind::HeadTimeout, "the request's head did not arrive in time")
    } else {
        return None;
    };
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Some(answer(&String::from_utf8_lossy(line), &problem).into_bytes())
}

/// The answer, in plain HTTP, to plain HTTP where TLS is spoken.
pub(super) fn no_tls() -> String {
    metrics::counter!("nearline_http_requests_total", "route" => "none", "status" => "400").increment(1);
    let problem = Problem::new(
        ProblemKind::MalformedRequest,
        "plain HTTP came, and this listener speaks TLS: use https:// in the address",
    );
    answer("HTTP/1.1 400 Bad Request", &problem)
}

fn answer(line: &str, problem: &Problem) -> String {
    let body = serde_json::to_string(problem).unwrap_or_default();
    let (kind, length) = ("application/problem+json", body.len());
    format!("{line}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// What is wrong with a request that could not be read.
fn what_is_wrong(seen: &[u8]) -> String {
    let line = seen.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (method, rest) = line.split_once(' ').unwrap_or((&line, ""));
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return "what came is no HTTP request; is it TLS? This listener speaks plain HTTP/1.1".to_owned();
    }
    let target = rest.rsplit_once(" HTTP/").map_or(rest, |(target, _)| target);
    let must_be_encoded =
        |c: &char| !c.is_ascii_graphic() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`' | '{' | '|' | '}');
    match target.chars().find(must_be_encoded) {
        Some(found) => {
            let mut bytes = [0; 4];
            let encoded: String =
                found.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect();
            format!(
                "the address holds {found:?}, which must be percent-encoded there ({encoded}): encode values of the \
                 query, such as filter=title.year%20%3E%201990"
            )
        }
        None => "the head of the request cannot be read as HTTP/1.1, or is too large".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_had_to_be_encoded_is_named() {
        for (request, says) in [
            (
                "GET /v1/trending?filter=title.year>1990 HTTP/1.1\r\nhost: x\r\n",
                "'>', which must be percent-encoded there (%3E)",
            ),
            ("GET /v1/trending?filter=a == b HTTP/1.1\r\n", "' ', which must"),
            ("GET /v1/trending?filter=é HTTP/1.1\r\n", "(%C3%A9)"),
            ("GET /v1/trending?filter=\"a\" HTTP/1.1\r\n", "(%22)"),
            ("GET /v1/trending HTTP/1.1\r\nbad header\r\n", "head of the request cannot be read"),
            ("\u{16}\u{3}\u{1}", "is it TLS?"),
            ("", "no HTTP request"),
        ] {
            let found = what_is_wrong(request.as_bytes());
            assert!(found.contains(says), "{request}: {found}");
        }
    }
}
