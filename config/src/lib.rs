//! Configuration: defaults, overlaid by a file, overlaid by `NEARLINE__SECTION__KEY` in the environment.
//!
//! Every key has a default and is described in `config/default.toml`. Unknown keys and impossible
//! values are refused with the key's full name, what was found and what is expected.
//!
//! What is deliberately absent: logic. A section holds values; whoever uses them decides.

mod access;
mod experiments;
mod fact_section;
mod keys;
mod layers;
mod listeners;
mod live_section;
mod log_section;
mod node_name;
mod ports;
mod remediation;
mod secret_url;
mod sections;
mod telemetry_section;
mod validation;

pub use access::AccessSection;
pub use experiments::{ExperimentSection, VariantSection};
pub use fact_section::FactSection;
pub use keys::{KeySection, KeysError, Scope, key_text, keys_of, read_keys};
pub use listeners::{CertificateFiles, Listener};
pub use live_section::LiveSection;
pub use log_section::{LogFormat, LogSection};
pub use ports::{examine_backend, open_ports, open_ports_watched, open_stored_ports};
pub use remediation::{ChaosSection, RemediationSection};
pub use secret_url::SecretUrl;
pub use sections::{
    AdminSection, BackendKind, BackendSection, EmbeddedSection, EngineSection, HttpSection, NatsSection,
    NodeSection, RedisSection, SyncPolicy,
};
pub use telemetry_section::TelemetrySection;

use nearline_model::settings::{AggregateSettings, FoldSettings};
use nearline_ranking::artwork::ArtworkSettings;
use nearline_ranking::experiment::{Experiments, InvalidExperiment};
use nearline_ranking::settings::RankingSettings;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Everything that can be set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Partitions, commits, caches, deadlines.
    pub engine: EngineSection,
    /// What bounds and shapes member state.
    pub fold: FoldSettings,
    /// What bounds and shapes the aggregates.
    pub aggregates: AggregateSettings,
    /// Which facts are captured.
    pub facts: FactSection,
    /// This node among others.
    pub node: NodeSection,
    /// How artworks are chosen.
    pub artwork: ArtworkSettings,
    /// Which backend everything stands on.
    pub backend: BackendSection,
    /// The embedded backend.
    pub embedded: EmbeddedSection,
    /// NATS, of the cluster backend.
    pub nats: NatsSection,
    /// Redis, of the cluster backend.
    pub redis: RedisSection,
    /// The public listener.
    pub http: HttpSection,
    /// Who may call.
    pub access: AccessSection,
    /// Rows that are sent again when they change.
    pub live: LiveSection,
    /// Settings of the ranking.
    pub ranking: RankingSettings,
    /// The operators' listener.
    pub admin: AdminSection,
    /// What is done about faults.
    pub remediation: RemediationSection,
    /// Faults on purpose.
    pub chaos: ChaosSection,
    /// Logs.
    pub log: LogSection,
    /// Traces.
    pub telemetry: TelemetrySection,
    /// Experiments that run: `[[experiments]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<ExperimentSection>,
}

/// Why a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("configuration file {path} cannot be read: {detail}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What happened.
        detail: String,
    },
    /// The file is no TOML.
    #[error("configuration file {path} is no valid TOML: {detail}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong, with its line.
        detail: String,
    },
    /// A key that does not exist.
    #[error("unknown key `{key}` in {origin}; expected {expected}")]
    UnknownKey {
        /// The key's full name.
        key: String,
        /// Where it was found.
        origin: String,
        /// What is known there.
        expected: String,
    },
    /// A value that cannot be.
    #[error("`{key}` is {found} in {origin}; expected {expected}")]
    Impossible {
        /// The key's full name.
        key: String,
        /// What was found.
        found: String,
        /// Where it was found.
        origin: String,
        /// What is expected.
        expected: String,
    },
}

impl ConfigError {
    /// The full name of the key that was refused, if it was one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { key, .. } | Self::Impossible { key, .. } => Some(key),
            _ => None,
        }
    }
}

impl Config {
    /// Defaults, overlaid by the file at `path`, overlaid by the variables of `environment` that
    /// start with `NEARLINE__`.
    ///
    /// # Errors
    /// The first key that is unknown or impossible, or why the file cannot be read.
    pub fn load(
        path: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = layers::Layers::new();
        if let Some(path) = path {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
                path: shown.clone(),
                detail: error.to_string(),
            })?;
            layers.overlay_file(&shown, &text)?;
        }
        layers.overlay_environment(environment)?;
        let (config, origins) = layers.finish();
        validation::check(&config, &origins)?;
        Ok(config)
    }

    /// The experiments that run, with each variant's settings.
    ///
    /// # Errors
    /// The first key of them that cannot be; none of a configuration that was validated.
    pub fn experiments(&self) -> Result<Experiments, InvalidExperiment> {
        experiments::experiments(&self.experiments, &self.ranking)
    }

    /// Checks every value against its range, as [`Config::load`] does.
    ///
    /// # Errors
    /// The first impossible value.
    pub fn validate(&self) -> Result<(), ConfigError> {
        validation::check(self, &layers::Origins::default())
    }
}
