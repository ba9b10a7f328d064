//! A whole Nearline on the embedded backend, in a directory of its own, for tests to talk to.

use nearline::{http, telemetry};
use nearline_actors::Engine;
use nearline_config::{Config, open_ports};
use nearline_ports::Ports;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How long a condition may take to come true.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running service; dropping it stops it in order.
pub struct Service {
    pub http: SocketAddr,
    pub admin: SocketAddr,
    pub ports: Ports,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    agent: ureq::Agent,
    _directory: tempfile::TempDir,
}

/// What came back.
pub struct Reply {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {:?}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Service {
    pub fn start() -> Self {
        Self::start_with(|_| {}, |ports| ports)
    }

    /// Starts with an adjusted configuration and wrapped ports, and waits until it is ready.
    pub fn start_with(
        adjust: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Ports) -> Ports + Send + 'static,
    ) -> Self {
        let service = Self::start_unready(adjust, wrap);
        service.until("it is ready", || (service.ask(service.admin, "/readyz").status == 200).then_some(()));
        service
    }

    /// The same without waiting.
    pub fn start_unready(
        adjust: impl FnOnce(&mut Config),
        wrap: impl FnOnce(Ports) -> Ports + Send + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut config = Config::default();
        config.engine.partitions = 4;
        config.engine.workers = 1;
        config.engine.commit_interval_ms = 20;
        config.engine.query_deadline_ms = 400;
        config.embedded.directory = directory.path().join("data").display().to_string();
        config.http.address = "127.0.0.1:0".to_owned();
        config.http.workers = 1;
        config.admin.address = "127.0.0.1:0".to_owned();
        adjust(&mut config);
        let (started, addresses) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let prometheus = telemetry::install_metrics().expect("a recorder");
                let ports = wrap(open_ports(&config).await.expect("an embedded backend"));
                let engine = Engine::start(ports, config.engine_settings()).await.expect("an engine");
                let servers = http::serve(engine.clone(), &config, prometheus).await.expect("free ports");
                let addresses = (servers.http, servers.admin.expect("enabled"), engine.ports().clone());
                started.send(addresses).expect("somebody waits");
                let _dropped = stopped.await;
                servers.stop(true).await;
                engine.stop().await;
            });
        });
        let (http, admin, ports) = addresses.recv_timeout(DEADLINE).expect("the service starts");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Self { http, admin, ports, stop: Some(stop), thread: Some(thread), agent, _directory: directory }
    }

    /// Sends a request to the API.
    pub fn send(&self, method: &str, path: &str, content_type: &str, body: Option<&[u8]>) -> Reply {
        self.send_to(self.http, method, path, content_type, body)
    }

    /// Sends a request to one of the listeners.
    pub fn send_to(
        &self,
        to: SocketAddr,
        method: &str,
        path: &str,
        kind: &str,
        body: Option<&[u8]>,
    ) -> Reply {
        let request = || {
            let request = ureq::http::Request::builder().method(method).uri(format!("http://{to}{path}"));
            if kind.is_empty() { request } else { request.header("content-type", kind) }
        };
        self.heard(|| match body {
            Some(body) => self.run(request().body(body.to_vec()).expect("a request")),
            None => self.run(request().body(()).expect("a request")),
        })
    }

    /// Sends a request again as long as the node is behind with its answers, as whoever uses it would.
    pub fn heard(&self, send: impl Fn() -> Reply) -> Reply {
        self.until("the node is no longer behind", || {
            let reply = send();
            let behind = reply.status == 429 && reply.text.contains("/problems/behind");
            (!behind).then_some(reply)
        })
    }

    /// Sends a request as it is.
    pub fn run(&self, request: ureq::http::Request<impl ureq::AsSendBody>) -> Reply {
        let shown = format!("{} {}", request.method(), request.uri());
        let mut response = self.agent.run(request).unwrap_or_else(|error| panic!("{shown}: {error}"));
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.body_mut().read_to_string().expect("UTF-8"),
        }
    }

    /// GETs a path of the API.
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, "", None)
    }

    /// GETs a path of one of the listeners.
    pub fn ask(&self, listener: SocketAddr, path: &str) -> Reply {
        self.send_to(listener, "GET", path, "", None)
    }

    /// Waits until `condition` gives something.
    pub fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = condition() {
                return found;
            }
            assert!(started.elapsed() < DEADLINE, "waited in vain until {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the service panicked");
        }
    }
}

/// A text as one gzip member.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("compressed");
    encoder.finish().expect("compressed")
}
