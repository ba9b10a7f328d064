//! A listener: plain or TLS, with answers to what is no HTTP that say what was wrong.

use super::unreadable::{Explaining, no_tls};
use crate::certificate::Certificate;
use actix_http::{HttpService, KeepAlive, Protocol};
use actix_rt::net::TcpStream;
use actix_server::{Server, ServerBuilder};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response};
use nearline_config::HttpSection;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

/// How long a client that still sends may take to hear an answer that comes before its end.
const DISCONNECT: Duration = Duration::from_secs(1);
/// How a client that speaks TLS begins (RFC 8446, 5.1: a record of a handshake).
const HANDSHAKE: u8 = 22;

/// A connection, whatever is spoken on it.
type Connection = Either<TcpStream, TlsStream<TcpStream>>;

/// Where a listener listens, and how.
pub(super) struct Listening<'a> {
    /// Its name, in logs.
    pub name: &'static str,
    /// IP address and port.
    pub address: &'a str,
    /// Times for heads and idle connections.
    pub limits: &'a HttpSection,
    /// What it shows; none: it speaks plain HTTP.
    pub certificate: Option<Arc<Certificate>>,
}

/// Binds a listener.
pub(super) fn bind<F, I, S, B>(
    builder: ServerBuilder,
    listening: &Listening<'_>,
    app: F,
) -> io::Result<(SocketAddr, Server)>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, actix_http::Request>,
    S: ServiceFactory<actix_http::Request, Config = AppConfig, Error = actix_web::Error, InitError = ()>
        + 'static,
    S::Response: Into<Response<B>>,
    <S::Service as actix_service::Service<actix_http::Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let Listening { name, address, limits, certificate } = listening;
    let listener = std::net::TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let (keep_alive, head) =
        (Duration::from_secs(limits.keep_alive_seconds), Duration::from_millis(limits.head_timeout_ms));
    // Linux tells of room for more only once a good part of what was sent is taken: a slow reader needs a while for that.
    let patience = keep_alive;
    let acceptor = certificate.as_ref().map(|shown| TlsAcceptor::from(shown.server_config()));
    let signal = builder.graceful_shutdown_signal();
    let builder = builder.listen(*name, listener, move || {
        let signal = signal.clone();
        let app = app().into_factory().map_err(|error| error.as_response_error().error_response());
        let service = HttpService::build()
            .graceful_shutdown_signal(move || {
                let signal = signal.clone();
                async move { signal.notified().await }
            })
            .keep_alive(KeepAlive::Timeout(keep_alive))
            .client_request_timeout(head)
            .client_disconnect_timeout(DISCONNECT)
            .local_addr(address)
            .finish(map_config(app, |_| AppConfig::default()));
        let acceptor = acceptor.clone();
        fn_service(move |stream: TcpStream| {
            let acceptor = acceptor.clone();
            async move {
                let peer = stream.peer_addr().ok();
                // Answers go out in pieces: the last one does not wait until the one before is acknowledged.
                stream.set_nodelay(true)?;
                let connection = open(stream, acceptor, head).await?;
                Ok((Explaining::new(connection, patience), Protocol::Http1, peer))
            }
        })
        .and_then(service)
    })?;
    Ok((address, builder.run()))
}

/// Shakes hands where TLS is spoken, within `time`.
async fn open(stream: TcpStream, acceptor: Option<TlsAcceptor>, time: Duration) -> io::Result<Connection> {
    let Some(acceptor) = acceptor else { return Ok(Either::Left(stream)) };
    let opened = timeout(time, shake_hands(stream, &acceptor)).await;
    let opened =
        opened.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no handshake in time")));
    opened.map(Either::Right).inspect_err(|error| {
        metrics::counter!("nearline_http_handshake_failures_total").increment(1);
        tracing::debug!(%error, "a connection ended before TLS was spoken");
    })
}

async fn shake_hands(mut stream: TcpStream, acceptor: &TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
        // What came is read: an answer before that is lost where the connection is reset.
        let _request = stream.read(&mut [0; 4_096]).await?;
        stream.write_all(no_tls().as_bytes()).await?;
        stream.shutdown().await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "plain HTTP came where TLS is spoken"));
    }
    acceptor.accept(stream).await
}
