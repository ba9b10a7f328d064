//! `nearline serve`: the engine and its HTTP API, until somebody asks them to stop.

use crate::certificate::Certificate;
use crate::http::waiting::{self, Waiting};
use crate::http::{self, Servers};
use crate::keys::KeyRing;
use crate::telemetry::{OperationalEvent, install_logs, install_metrics};
use crate::traces;
use actix_rt::signal::unix::{SignalKind, signal};
use anyhow::{Context, bail};
use nearline_actors::Engine;
use nearline_backends::embedded::{DirectoryWatch, takes_writes};
use nearline_config::{BackendKind, CertificateFiles, Config, open_ports_watched};
use nearline_ports::{PortError, Ports, trace};
use nearline_terminal::{clean, print_all};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often readiness is looked at until it is there.
const READY_INTERVAL: Duration = Duration::from_millis(20);

/// Longest time that a node which cannot help itself takes to stop in order.
const EXIT_DEADLINE: Duration = Duration::from_secs(10);
/// How often it is tried whether a directory takes writes again, and how often opening it anew.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Pauses between attempts to open a backend that is away, and between two words about it.
const WAIT_MIN: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(2);
const TOLD_AGAIN: Duration = Duration::from_secs(15);
/// What is left of the time to stop for commits, at least.
const COMMIT_TIME: Duration = Duration::from_millis(500);
/// How long closing the directory may take, once everything has stopped: what is in memory goes into files.
const CLOSE_TIME: Duration = Duration::from_secs(5);
/// How long open requests get where the directory is opened anew: nothing is committed before that.
const LET_GO_TIME: Duration = Duration::from_millis(500);
/// How long the process may take to end by itself, once all is closed.
const END_TIME: Duration = Duration::from_secs(1);

/// The engine with its listeners.
pub(super) struct Service {
    pub engine: Engine,
    pub servers: Servers,
    until_ready: actix_rt::task::JoinHandle<()>,
    shutdown: Duration,
}

impl Service {
    /// Opens the backend, starts the engine, listens; `watch` tells what becomes of the embedded directory.
    pub async fn start(config: &Config, watch: DirectoryWatch) -> anyhow::Result<Self> {
        install_logs(&config.log)?;
        let prometheus = install_metrics()?;
        traces::install(config)?;
        // What is wrong with keys and certificates is said before anything is opened.
        KeyRing::open(&config.access)?;
        for listener in config.listeners() {
            Certificate::open(listener.certificate)?;
        }
        let started = Instant::now();
        let ports = open(config, watch).await.context("opening the backend")?;
        tracing::info!(took_ms = started.elapsed().as_millis() as u64, "the backend is open");
        let engine = Engine::start(ports, config.engine_settings()).await.context("starting the engine")?;
        let backend = match config.backend.kind {
            BackendKind::Embedded => "embedded",
            BackendKind::Cluster => "cluster",
        };
        OperationalEvent::EngineStarted { backend: backend.to_owned(), partitions: engine.partition_count() }
            .emit();
        let servers = match http::serve(engine.clone(), config, prometheus).await {
            Ok(servers) => servers,
            Err(error) => {
                engine.stop().await;
                return Err(error.into());
            }
        };
        let until_ready = actix_rt::spawn(tell_when_ready(engine.clone(), started));
        let shutdown = Duration::from_secs(config.http.shutdown_seconds);
        Ok(Self { engine, servers, until_ready, shutdown })
    }

    /// Lets go of the addresses, and of nothing else: a directory that takes no writes has nothing committed to it, however long
    /// that is waited for. The log has what was acknowledged, and who opens the directory anew replays it.
    async fn let_go(self, cause: &str) {
        OperationalEvent::StopRequested { cause: cause.to_owned() }.emit();
        self.until_ready.abort();
        let _as_far_as_it_goes = tokio::time::timeout(LET_GO_TIME, self.servers.stop(true)).await;
    }

    /// Stops in order: no new requests, open ones end, what is folded is committed. All of it takes
    /// `http.shutdown_seconds` at most, though the store may be away: what is not committed then is replayed. Whether all is
    /// committed.
    pub async fn stop(self, cause: &str) -> bool {
        let Self { engine, servers, until_ready, shutdown } = self;
        let asked = Instant::now();
        OperationalEvent::StopRequested { cause: cause.to_owned() }.emit();
        until_ready.abort();
        let requests = async {
            if engine.node_status().others > 0 {
                // Others take over while queries are still answered here, by asking them.
                engine.hand_over().await;
            }
            servers.stop(true).await;
        };
        let _as_far_as_it_goes = tokio::time::timeout(shutdown.saturating_sub(COMMIT_TIME), requests).await;
        let left = shutdown.saturating_sub(asked.elapsed()).max(COMMIT_TIME);
        let _as_far_as_it_goes = tokio::time::timeout(left, engine.stop()).await;
        if trace::is_on() {
            let flushing = tokio::task::spawn_blocking(trace::flush);
            let _as_far_as_it_goes = tokio::time::timeout(COMMIT_TIME, flushing).await;
        }
        let partitions = engine.partitions();
        let uncommitted =
            partitions.iter().filter(|partition| partition.committed < partition.folded).count();
        OperationalEvent::EngineStopped { took_ms: asked.elapsed().as_millis() as u64, uncommitted }.emit();
        uncommitted == 0
    }
}

/// Opens the backend. Servers that are away are waited for, and probes and callers are told so: whoever starts
/// everything at once need not care for the order.
async fn open(config: &Config, watch: DirectoryWatch) -> Result<Ports, PortError> {
    let first = match open_ports_watched(config, watch.clone()).await {
        Err(error) if is_waited_for(config, &error) => error,
        outcome => return outcome,
    };
    tracing::warn!("waiting for what is away, and trying again: {}", clean(&first.to_string()));
    let (since, mut told) = (Instant::now(), Instant::now());
    let reason = waiting::Reason::new(first.to_string().into());
    let listeners = Waiting::listen(config, &reason);
    let mut pause = WAIT_MIN;
    let opened = loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(WAIT_MAX);
        let error = match open_ports_watched(config, watch.clone()).await {
            Err(error) if is_waited_for(config, &error) => error,
            outcome => break outcome,
        };
        if told.elapsed() >= TOLD_AGAIN {
            let waited_s = since.elapsed().as_secs();
            tracing::warn!(waited_s, "still waiting: {}", clean(&error.to_string()));
            told = Instant::now();
        }
        *reason.lock() = error.to_string();
    };
    listeners.close().await;
    opened
}

/// Servers come; a directory that cannot be used does not.
fn is_waited_for(config: &Config, error: &PortError) -> bool {
    config.backend.kind == BackendKind::Cluster && error.is_transient()
}

async fn tell_when_ready(engine: Engine, started: Instant) {
    while !engine.is_ready() {
        tokio::time::sleep(READY_INTERVAL).await;
    }
    OperationalEvent::BecameReady { after_ms: started.elapsed().as_millis() as u64 }.emit();
}

/// Waits for SIGTERM or SIGINT, or SIGHUP of a terminal that is closed, and says which. Without a terminal SIGHUP ends nothing: it is
/// taken elsewhere for a wish to read everything again.
pub(super) async fn stop_requested() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("listening to SIGHUP")?;
    let has_terminal = std::io::stdin().is_terminal();
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok("SIGTERM"),
            _ = interrupt.recv() => return Ok("SIGINT"),
            _ = hangup.recv() => {
                if has_terminal {
                    return Ok("SIGHUP");
                }
                tracing::info!(
                    "SIGHUP changes nothing: keys and certificates are read again by themselves, everything else at the start"
                );
            }
        }
    }
}

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    // Before anything is opened: a signal during the start stops in order, too.
    let mut stop = actix_rt::spawn(stop_requested());
    let watch = DirectoryWatch::default();
    let service = tokio::select! {
        cause = &mut stop => {
            cause.context("waiting for a signal")??;
            return Ok(());
        }
        service = Service::start(&config, watch.clone()) => service?,
    };
    let (http, admin) = (service.servers.http, service.servers.admin);
    let scheme = scheme_of(config.http.certificate());
    print_all(&format!("API      {scheme}://{http}  (description: /v1/openapi.json)\n"))?;
    if let Some(admin) = admin {
        let scheme = scheme_of(config.admin.certificate());
        print_all(&format!("console  {scheme}://{admin}  (metrics: /metrics, readiness: /readyz)\n"))?;
    }
    let engine = service.engine.clone();
    tokio::select! {
        cause = stop => {
            let cause = cause.context("waiting for a signal")??;
            end_after(service.shutdown + CLOSE_TIME + END_TIME);
            let is_committed = service.stop(cause).await;
            drop(engine);
            if is_committed {
                until_closed(&watch).await;
            }
            Ok(())
        }
        // What is stuck may never end: stopping in order gets its time, not more.
        reason = engine.exit_demanded() => {
            end_after(EXIT_DEADLINE + END_TIME);
            let stopping = service.stop("the remediation policy");
            let _as_far_as_it_goes = tokio::time::timeout(EXIT_DEADLINE, stopping).await;
            bail!("this node cannot help itself any more and must be started anew: {reason}")
        }
        () = takes_writes_again(&watch, PathBuf::from(&config.embedded.directory)) => {
            service.let_go("opening the directory anew").await;
            Err(begin_anew(http, admin))
        }
    }
}

fn scheme_of(shown: Option<CertificateFiles>) -> &'static str {
    if shown.is_some() { "https" } else { "http" }
}

/// Becomes the same program once more, under the same process id and addresses: what its databases hold open goes
/// with the old one. Comes back only where that cannot be.
fn begin_anew(http: SocketAddr, admin: Option<SocketAddr>) -> anyhow::Error {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return anyhow::Error::new(error).context("beginning anew: where this program is"),
    };
    let mut again = std::process::Command::new(program);
    again.args(std::env::args_os().skip(1)).env("NEARLINE__HTTP__ADDRESS", http.to_string());
    if let Some(admin) = admin {
        again.env("NEARLINE__ADMIN__ADDRESS", admin.to_string());
    }
    #[cfg(unix)]
    let error = std::os::unix::process::CommandExt::exec(&mut again);
    #[cfg(not(unix))]
    let error = std::io::Error::other("start the program again");
    anyhow::Error::new(error).context("beginning anew, since the directory takes writes again")
}

/// Waits until the embedded directory is closed, as long as that may take: without it, the next start replays what is in no
/// file yet. Nobody may hold the engine any more.
pub async fn until_closed(watch: &DirectoryWatch) {
    let _as_far_as_it_goes = tokio::time::timeout(CLOSE_TIME, watch.closed()).await;
}

/// Waits until a write to `directory` has failed and writes succeed again. Meanwhile answers go on from memory.
async fn takes_writes_again(watch: &DirectoryWatch, directory: PathBuf) {
    let error = watch.write_failed().await;
    tracing::error!(
        %error,
        "the directory takes no more writes: publishing is refused and answers come from memory until it does; \
         then it is opened anew"
    );
    loop {
        tokio::time::sleep(TRY_AGAIN).await;
        let directory = directory.clone();
        if tokio::task::spawn_blocking(move || takes_writes(&directory)).await.unwrap_or(false) {
            tracing::warn!("the directory takes writes again: opening it anew");
            return;
        }
    }
}

/// Ends the process if it has not ended by itself: a thread may be stuck in a disk or a server that does not
/// answer. What was acknowledged is in the log, and what is not committed is replayed.
fn end_after(time: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(time);
        eprintln!("stopping took longer than {} ms: ending", time.as_millis());
        std::process::exit(1);
    });
}
