//! A TCP proxy that makes a connection slow, narrow, silent or dead.

use super::ChaosError;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes read at once, and pieces on their way at most: bounds a connection's memory.
const PIECE_BYTES: usize = 16 * 1024;
const PIECES: usize = 256;

/// Whether bytes pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They do.
    Open,
    /// None does; connections stay open, as when packets are lost.
    Silent,
    /// Connections are closed, and new ones at once.
    Reset,
}

#[derive(Debug)]
struct Toxics {
    latency_ms: AtomicU64,
    bytes_per_s: AtomicU64,
    passage: watch::Sender<Passage>,
}

/// A running proxy in front of one server. It ends with its runtime.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: SocketAddr,
    toxics: Arc<Toxics>,
}

impl Proxy {
    /// Starts a proxy of `upstream` on a free loopback port.
    ///
    /// # Errors
    /// [`ChaosError::System`] if it cannot listen.
    pub fn start(runtime: &Handle, upstream: SocketAddr) -> Result<Self, ChaosError> {
        let listener = runtime
            .block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .map_err(ChaosError::system("listening for a proxy"))?;
        let address = listener.local_addr().map_err(ChaosError::system("the proxy's address"))?;
        let toxics = Arc::new(Toxics {
            latency_ms: AtomicU64::new(0),
            bytes_per_s: AtomicU64::new(0),
            passage: watch::Sender::new(Passage::Open),
        });
        runtime.spawn(listen(listener, upstream, toxics.clone()));
        Ok(Self { address, toxics })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds latency each way, in milliseconds.
    pub fn set_latency_ms(&self, latency_ms: u64) {
        self.toxics.latency_ms.store(latency_ms, Relaxed);
    }

    /// Limits bytes in a second, each way and connection; 0: no limit.
    pub fn set_bytes_per_s(&self, bytes_per_s: u64) {
        self.toxics.bytes_per_s.store(bytes_per_s, Relaxed);
    }

    /// Lets bytes pass, or not.
    pub fn set_passage(&self, passage: Passage) {
        self.toxics.passage.send_replace(passage);
    }
}

async fn listen(listener: TcpListener, upstream: SocketAddr, toxics: Arc<Toxics>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(connect(client, upstream, toxics.clone()));
            }
            // Out of file descriptors, mostly: the next attempt may find one.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connect(client: TcpStream, upstream: SocketAddr, toxics: Arc<Toxics>) {
    let mut passage = toxics.passage.subscribe();
    if passage.wait_for(|passage| *passage != Passage::Silent).await.is_ok_and(|now| *now == Passage::Reset) {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let _slower_without = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let reset = async {
        let _ended = passage.wait_for(|passage| *passage == Passage::Reset).await;
    };
    // Either way's end is the connection's end: a half-closed one has no use in these protocols.
    tokio::select! {
        () = pump(from_client, to_server, &toxics) => {}
        () = pump(from_server, to_client, &toxics) => {}
        () = reset => {}
    }
}

async fn pump(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, toxics: &Toxics) {
    let (pieces, mut on_their_way) = mpsc::channel::<(Instant, Vec<u8>)>(PIECES);
    let reading = async {
        let mut buffer = vec![0; PIECE_BYTES];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let due = Instant::now() + Duration::from_millis(toxics.latency_ms.load(Relaxed));
            if pieces.send((due, buffer[..length].to_vec())).await.is_err() {
                break;
            }
        }
        drop(pieces);
    };
    let writing = async {
        let mut passage = toxics.passage.subscribe();
        while let Some((due, piece)) = on_their_way.recv().await {
            sleep_until(due).await;
            let bytes_per_s = toxics.bytes_per_s.load(Relaxed);
            if let Some(micros) = (piece.len() as u64 * 1_000_000).checked_div(bytes_per_s) {
                sleep(Duration::from_micros(micros)).await;
            }
            let passes = passage.wait_for(|passage| *passage != Passage::Silent).await.is_ok();
            if !passes || to.write_all(&piece).await.is_err() {
                break;
            }
        }
    };
    tokio::join!(reading, writing);
}
