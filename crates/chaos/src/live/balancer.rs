//! What stands before several engines: it leaves one that refuses connections for another at once, and
//! asks another one as well (a hedge) when an answer takes long. The first answer counts.

use super::answered::Answered;
use super::bed::Engine;
use super::http::HttpClient;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

struct Upstream {
    client: HttpClient,
    in_service: Arc<AtomicBool>,
}

/// All engines, as clients reach them.
pub struct Balancer {
    upstreams: Vec<Upstream>,
}

#[derive(Deserialize)]
struct Body {
    source: Answered,
}

impl Balancer {
    /// Of these engines.
    pub fn new(engines: &[Engine]) -> Self {
        let upstream = |engine: &Engine| Upstream {
            client: HttpClient::new(&engine.http),
            in_service: engine.in_service.clone(),
        };
        Self { upstreams: engines.iter().map(upstream).collect() }
    }

    /// Asks for `path`, the engine number `first` among those in service before the others; a further one
    /// whenever none has answered for `hedge`. Where the answer came from, and whom to ask first for the same.
    pub async fn ask(
        &self,
        path: &str,
        first: usize,
        hedge: Option<Duration>,
        until: Instant,
    ) -> (Answered, usize) {
        let mut in_service: Vec<usize> = (0..self.upstreams.len()).collect();
        in_service.retain(|at| self.upstreams[*at].in_service.load(Relaxed));
        if in_service.is_empty() {
            return (Answered::Failed, first);
        }
        let turn = first % in_service.len();
        in_service.rotate_left(turn);
        let mut waiting = in_service.into_iter().enumerate();
        let mut under_way = FuturesUnordered::new();
        let mut next = waiting.next();
        loop {
            if let Some((attempt, at)) = next.take() {
                let client = &self.upstreams[at].client;
                under_way.push(async move { (ask_once(client, path).await, first.wrapping_add(attempt)) });
            }
            let hedge_at = hedge.filter(|_| waiting.len() > 0).map(|hedge| Instant::now() + hedge);
            tokio::select! {
                answered = under_way.next() => match answered {
                    Some((Answered::Failed, _)) => next = waiting.next(),
                    Some(answered) => return answered,
                    // All have refused or failed.
                    None => return (Answered::Failed, first),
                },
                () = sleep_until(hedge_at.unwrap_or(until)), if hedge_at.is_some() => next = waiting.next(),
                () = sleep_until(until) => return (Answered::Failed, first.wrapping_add(1)),
            }
        }
    }
}

async fn ask_once(client: &HttpClient, path: &str) -> Answered {
    match client.get(path).await {
        Ok(answer) if answer.status == 200 => {
            serde_json::from_slice::<Body>(&answer.body).map_or(Answered::Failed, |body| body.source)
        }
        _ => Answered::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;

    /// A server that answers each request after `wait`; `None`: refuses connections.
    async fn upstream(wait: Option<Duration>) -> Upstream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let address = socket.local_addr().expect("an address");
        let Some(wait) = wait else {
            // It keeps its port, so that no other upstream gets it, and listens to nobody.
            std::mem::forget(socket);
            return Upstream {
                client: HttpClient::new(&format!("http://{address}")),
                in_service: Arc::new(true.into()),
            };
        };
        let listener = socket.listen(64).expect("listening");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let _read = stream.read(&mut [0; 1_024]).await;
                    tokio::time::sleep(wait).await;
                    let body = r#"{"source":"live"}"#;
                    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                    let _written = stream.write_all(text.as_bytes()).await;
                });
            }
        });
        Upstream { client: HttpClient::new(&format!("http://{address}")), in_service: Arc::new(true.into()) }
    }

    async fn answered(upstreams: Vec<Upstream>, hedge: Option<Duration>) -> (Answered, usize) {
        let until = Instant::now() + Duration::from_millis(400);
        Balancer { upstreams }.ask("/", 0, hedge, until).await
    }

    const SLOW: Option<Duration> = Some(Duration::from_secs(5));
    const FAST: Option<Duration> = Some(Duration::ZERO);

    #[tokio::test]
    async fn one_that_refuses_is_left_for_another() {
        let upstreams = vec![upstream(None).await, upstream(FAST).await];
        assert_eq!(answered(upstreams, None).await, (Answered::Live, 1));
    }

    #[tokio::test]
    async fn one_that_is_slow_is_hedged_only_if_asked_to() {
        let hedge = Some(Duration::from_millis(20));
        assert_eq!(answered(vec![upstream(SLOW).await, upstream(FAST).await], hedge).await.0, Answered::Live);
        assert_eq!(
            answered(vec![upstream(SLOW).await, upstream(FAST).await], None).await.0,
            Answered::Failed
        );
    }

    #[tokio::test]
    async fn one_that_is_out_of_service_is_not_asked() {
        let out = upstream(SLOW).await;
        out.in_service.store(false, Relaxed);
        assert_eq!(answered(vec![out, upstream(FAST).await], None).await.0, Answered::Live);
        assert_eq!(answered(vec![upstream(None).await], None).await.0, Answered::Failed);
    }
}
