//! `nearline serve`: the engine and its HTTP API, until somebody asks them to stop.

use crate::http::{self, Servers};
use crate::telemetry::{OperationalEvent, install_logs, install_metrics};
use actix_rt::signal::unix::{SignalKind, signal};
use anyhow::{Context, bail};
use nearline_actors::Engine;
use nearline_config::{BackendKind, Config, open_ports};
use std::time::{Duration, Instant};

/// How often readiness is looked at until it is there.
const READY_INTERVAL: Duration = Duration::from_millis(20);

/// Longest time that a node which cannot help itself takes to stop in order.
const EXIT_DEADLINE: Duration = Duration::from_secs(10);

/// The engine with its listeners.
pub(super) struct Service {
    pub engine: Engine,
    pub servers: Servers,
}

impl Service {
    /// Opens the backend, starts the engine, listens.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        install_logs(&config.log)?;
        let prometheus = install_metrics()?;
        let started = Instant::now();
        let ports = open_ports(config).await.context("opening the backend")?;
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
        actix_rt::spawn(tell_when_ready(engine.clone(), started));
        Ok(Self { engine, servers })
    }

    /// Stops in order: no new requests, open ones end, what is folded is committed.
    pub async fn stop(self, cause: &str) {
        let asked = Instant::now();
        OperationalEvent::StopRequested { cause: cause.to_owned() }.emit();
        if self.engine.node_status().others > 0 {
            // Others take over while queries are still answered here, by asking them.
            self.engine.hand_over().await;
        }
        self.servers.stop(true).await;
        self.engine.stop().await;
        OperationalEvent::EngineStopped { took_ms: asked.elapsed().as_millis() as u64 }.emit();
    }
}

async fn tell_when_ready(engine: Engine, started: Instant) {
    while !engine.is_ready() {
        tokio::time::sleep(READY_INTERVAL).await;
    }
    OperationalEvent::BecameReady { after_ms: started.elapsed().as_millis() as u64 }.emit();
}

/// Waits for SIGTERM or SIGINT and says which.
pub(super) async fn stop_requested() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("listening to SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening to SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    // Before anything is opened: a signal during the start stops in order, too.
    let stop = actix_rt::spawn(stop_requested());
    let service = Service::start(&config).await?;
    println!("API      http://{}  (description: /v1/openapi.json)", service.servers.http);
    if let Some(admin) = service.servers.admin {
        println!("console  http://{admin}  (metrics: /metrics, readiness: /readyz)");
    }
    let engine = service.engine.clone();
    tokio::select! {
        cause = stop => {
            service.stop(cause.context("waiting for a signal")??).await;
            Ok(())
        }
        // What is stuck may never end: stopping in order gets its time, not more.
        reason = engine.exit_demanded() => {
            let stopping = service.stop("the remediation policy");
            let _as_far_as_it_goes = tokio::time::timeout(EXIT_DEADLINE, stopping).await;
            bail!("this node cannot help itself any more and must be started anew: {reason}")
        }
    }
}
