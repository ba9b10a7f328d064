//! A small HTTP client for very many questions: connections are kept, and a request that nobody waits for
//! any more ends with its future.

use parking_lot::Mutex;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections kept at most.
const IDLE: usize = 32;
/// Longest answer that is read.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// One server, by its base URL.
#[derive(Debug)]
pub struct HttpClient {
    authority: String,
    prefix: String,
    idle: Mutex<Vec<TcpStream>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

impl HttpClient {
    /// Of the server at `base`, such as `http://127.0.0.1:7700`.
    pub fn new(base: &str) -> Self {
        let rest = base.split_once("://").map_or(base, |(_, rest)| rest);
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = if authority.contains(':') { "" } else { ":80" };
        Self {
            authority: format!("{authority}{port}"),
            prefix: prefix.trim_end_matches('/').to_owned(),
            idle: Mutex::default(),
        }
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// Where it is not answered, or in a way that is not understood (chunked, longer than 8 MiB).
    pub async fn get(&self, path: &str) -> Result<HttpAnswer> {
        let kept = self.idle.lock().pop();
        if let Some(stream) = kept
            && let Ok(answer) = self.ask(stream, path).await
        {
            return Ok(answer);
        }
        // A kept connection may have been closed meanwhile: that says nothing about the server.
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        self.ask(stream, path).await
    }

    async fn ask(&self, mut stream: TcpStream, path: &str) -> Result<HttpAnswer> {
        let (prefix, host) = (&self.prefix, &self.authority);
        let request = format!("GET {prefix}{path} HTTP/1.1\r\nhost: {host}\r\naccept: */*\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut read = Vec::with_capacity(2_048);
        let head = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break Head::parse(&String::from_utf8_lossy(&read[..end]), end + 4)?;
            }
            more(&mut stream, &mut read).await?;
        };
        while read.len() < head.length + head.body {
            more(&mut stream, &mut read).await?;
        }
        read.truncate(head.length + head.body);
        let body = read.split_off(head.length);
        let mut idle = self.idle.lock();
        if !head.closes && idle.len() < IDLE {
            idle.push(stream);
        }
        Ok(HttpAnswer { status: head.status, body })
    }
}

async fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> Result<()> {
    if read.len() > MOST_BYTES {
        return Err(Error::new(ErrorKind::InvalidData, "the answer is too long"));
    }
    match stream.read_buf(read).await? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Of the head itself, in bytes, and of the body.
    length: usize,
    body: usize,
    closes: bool,
}

impl Head {
    fn parse(text: &str, length: usize) -> Result<Self> {
        let malformed = || Error::new(ErrorKind::InvalidData, "the answer is not understood");
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let mut head = Self { status: status.ok_or_else(malformed)?, length, body: 0, closes: false };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim().to_ascii_lowercase();
            match &*name.to_ascii_lowercase() {
                "content-length" => head.body = value.parse().map_err(|_| malformed())?,
                "transfer-encoding" => return Err(malformed()),
                "connection" => head.closes = value == "close",
                _ => {}
            }
        }
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_apart() {
        let client = HttpClient::new("http://localhost:7700/under/");
        assert_eq!((&*client.authority, &*client.prefix), ("localhost:7700", "/under"));
        assert_eq!(HttpClient::new("http://nearline").authority, "nearline:80");
    }

    #[test]
    fn a_head_says_how_long_the_answer_is() {
        let head = Head::parse("HTTP/1.1 200 OK\r\nContent-Length: 17\r\nconnection: close", 60);
        assert_eq!(head.expect("understood"), Head { status: 200, length: 60, body: 17, closes: true });
        assert!(Head::parse("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", 60).is_err());
    }
}
