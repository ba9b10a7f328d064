//! From configuration to a running engine: settings, and the backend that is asked for.

use super::{BackendKind, Config, SyncPolicy};
use futures_util::future::BoxFuture;
use nearline_actors::{AnswerSettings, EngineSettings, Threads};
use nearline_backends::cluster::connect_cluster;
use nearline_backends::embedded::{self, DirectoryWatch, EmbeddedSettings};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use nearline_model::control::remediation::RemediationSettings;
use nearline_ports::examine;
use nearline_ports::finding::Finding;
use nearline_ports::{PortError, Ports};
use std::path::Path;
use std::sync::Arc;

impl Config {
    /// Settings of the engine.
    ///
    /// # Panics
    /// If the experiments cannot be, which [`Config::validate`] tells.
    pub fn engine_settings(&self) -> EngineSettings {
        let (engine, remediation) = (&self.engine, &self.remediation);
        let cores = || std::thread::available_parallelism().map_or(2, usize::from);
        EngineSettings {
            answers: AnswerSettings {
                ranking: self.ranking,
                experiments: Arc::new(self.experiments().expect("checked when the configuration was read")),
                artwork: self.artwork.clone(),
                expression_steps: self.http.expression_steps,
            },
            fold: self.fold.clone(),
            aggregates: self.aggregates.clone(),
            commit_events: engine.commit_events,
            commit_interval_ms: engine.commit_interval_ms,
            commit_members: engine.commit_members,
            cached_members: engine.cached_members,
            solved_titles: engine.solved_titles,
            facts: self.facts.settings(),
            batch_events: engine.batch_events,
            threads: Threads::Own,
            workers: if engine.workers == 0 { cores() } else { engine.workers },
            snapshot_interval_ms: engine.snapshot_interval_ms,
            adding_nodes: engine.adding_nodes,
            catalogue_wait_ms: engine.catalogue_wait_ms,
            only_catalogued: engine.only_catalogued,
            query_deadline_ms: engine.query_deadline_ms,
            query_hedge_ms: engine.query_hedge_ms,
            node: match self.node.name.as_str() {
                "" => super::node_name::of_this_host(&self.http.address),
                name => name.to_owned(),
            },
            address: match self.node.advertise.as_str() {
                "" => self.http.address.clone(),
                advertised => advertised.to_owned(),
            },
            lease_ms: self.node.lease_ms,
            remediation: RemediationSettings {
                restart_backoff_ms: engine.restart_backoff_ms,
                restart_backoff_max_ms: engine.restart_backoff_max_ms,
                poison_attempts: remediation.poison_attempts,
                quarantine_max: remediation.quarantine_max,
                leaked_threads: remediation.leaked_threads,
                node_rebuilds: remediation.node_rebuilds,
                node_window_ms: remediation.node_window_seconds.saturating_mul(1_000),
                give_away_after_ms: remediation.give_away_after_ms,
                ..RemediationSettings::default()
            },
            hang_ms: remediation.hang_ms,
            reader_stall_ms: remediation.reader_stall_ms,
            chaos: self.chaos.enabled,
            fault_probe: None,
        }
    }
}

/// Opens the backend that is configured.
///
/// # Errors
/// [`PortError::Unavailable`] if a server cannot be reached, [`PortError::Misconfigured`] if what
/// is there does not fit the configuration, [`PortError::Damaged`] if data cannot be read.
pub fn open_ports(config: &Config) -> BoxFuture<'_, Result<Ports, PortError>> {
    open_ports_watched(config, DirectoryWatch::default())
}

/// As [`open_ports`]; `watch` tells when the embedded directory takes no more writes until it is opened anew, and when it is closed.
///
/// # Errors
/// As [`open_ports`].
pub fn open_ports_watched(config: &Config, watch: DirectoryWatch) -> BoxFuture<'_, Result<Ports, PortError>> {
    Box::pin(async move {
        match config.backend.kind {
            BackendKind::Embedded => {
                let settings = embedded_settings(config);
                // Opening reads the directory: not a task for the thread that serves.
                let opening = tokio::task::spawn_blocking(move || embedded::open_watched(settings, watch));
                opening.await.map_err(|error| PortError::Unavailable {
                    what: "the embedded backend".to_owned(),
                    detail: error.to_string(),
                })?
            }
            BackendKind::Cluster => connect_cluster(nats_settings(config), redis_settings(config)).await,
        }
    })
}

/// Opens the backend that is configured, to look at what is stored: where nothing is, nothing is made.
///
/// # Errors
/// [`PortError::Misconfigured`] if the embedded directory holds no data, and those of [`open_ports`].
pub fn open_stored_ports(config: &Config) -> BoxFuture<'_, Result<Ports, PortError>> {
    Box::pin(async move {
        let directory = Path::new(&config.embedded.directory);
        if config.backend.kind == BackendKind::Embedded && !directory.is_dir() {
            let from = std::env::current_dir().unwrap_or_default();
            return Err(PortError::Misconfigured(format!(
                "there is no data in {}: run this where `nearline serve` runs, or name its directory with \
             --config or NEARLINE__EMBEDDED__DIRECTORY",
                from.join(directory).display()
            )));
        }
        open_ports(config).await
    })
}

/// Looks at the backend that is configured, without changing anything.
pub fn examine_backend(config: &Config) -> BoxFuture<'_, Vec<Finding>> {
    Box::pin(async move {
        match config.backend.kind {
            BackendKind::Embedded => {
                let settings = embedded_settings(config);
                let looking = tokio::task::spawn_blocking(move || embedded::examine(&settings));
                looking.await.unwrap_or_else(|error| {
                    vec![Finding::fail("directory", error.to_string(), "report this: it is a bug")]
                })
            }
            BackendKind::Cluster => {
                let (nats, redis) = (nats_settings(config), redis_settings(config));
                let (mut findings, ports) =
                    nearline_backends::cluster::examine(nats, redis, config.fold.event_bytes).await;
                if let Some(ports) = ports {
                    findings.extend(examine::stored(&ports, &config.fold, &config.aggregates).await);
                }
                findings
            }
        }
    })
}

fn embedded_settings(config: &Config) -> EmbeddedSettings {
    let section = &config.embedded;
    EmbeddedSettings {
        directory: section.directory.as_str().into(),
        partitions: config.engine.partitions,
        sync: match section.sync {
            SyncPolicy::EachBatch => embedded::SyncPolicy::EachBatch,
            SyncPolicy::Os => embedded::SyncPolicy::Os,
        },
        duplicate_window_seconds: section.duplicate_window_seconds,
        duplicate_window_ids: section.duplicate_window_ids,
        retention_events: section.retention_events,
        fact_bytes: config.facts.stream_bytes,
    }
}

fn nats_settings(config: &Config) -> NatsSettings {
    let section = &config.nats;
    NatsSettings {
        url: section.url.reveal().to_owned(),
        stream: section.stream.clone(),
        subject_prefix: section.subject_prefix.clone(),
        dead_letter_stream: section.dead_letter_stream.clone(),
        catalogue_bucket: section.catalogue_bucket.clone(),
        nodes_bucket: section.nodes_bucket.clone(),
        remediation_stream: section.remediation_stream.clone(),
        fact_stream: section.fact_stream.clone(),
        fact_stream_bytes: config.facts.stream_bytes,
        partitions: config.engine.partitions,
        block_events: section.block_events,
        event_bytes: config.fold.event_bytes,
        replicas: section.replicas,
        duplicate_window_seconds: section.duplicate_window_seconds,
        max_bytes: section.max_bytes,
        max_age_seconds: section.max_age_seconds,
        connections: section.connections,
        reader_records: section.reader_records,
        timeout_ms: section.timeout_ms,
        credentials_file: section.credentials_file.clone(),
        nkey_file: section.nkey_file.clone(),
        ca_file: section.ca_file.clone(),
        certificate_file: section.certificate_file.clone(),
        key_file: section.key_file.clone(),
        tls_first: section.tls_first,
    }
}

fn redis_settings(config: &Config) -> RedisSettings {
    let section = &config.redis;
    RedisSettings {
        url: section.url.reveal().to_owned(),
        cluster: section.cluster,
        key_prefix: section.key_prefix.clone(),
        timeout_ms: section.timeout_ms,
        ca_file: section.ca_file.clone(),
        certificate_file: section.certificate_file.clone(),
        key_file: section.key_file.clone(),
    }
}
