//! Telemetry: logs, metrics, and operational events that are both at once.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use nearline_config::{LogFormat, LogSection};
use std::net::SocketAddr;
use std::sync::OnceLock;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Upper bounds of the buckets of histograms, in seconds.
const BUCKETS_SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level cannot be read.
    #[error("`log.level` cannot be read: {0}")]
    Level(String),
    /// The recorder of metrics could not be installed.
    #[error("the metrics recorder cannot be installed: {0}; another one may be there already")]
    Recorder(#[from] BuildError),
}

/// Logs to standard error as configured. Later calls in one process change nothing.
///
/// # Errors
/// [`TelemetryError::Level`].
pub fn install_logs(section: &LogSection) -> Result<(), TelemetryError> {
    let targets = section.targets().map_err(TelemetryError::Level)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let filtered = tracing_subscriber::registry().with(targets);
    // An error means that a subscriber is there already: the first one stays.
    let _kept = match section.format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            filtered.with(lines.with_ansi(colours)).try_init()
        }
        LogFormat::Json => filtered.with(lines.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

/// Installs the recorder of metrics, once in a process; later calls give the same handle.
///
/// # Errors
/// [`TelemetryError::Recorder`], if a recorder from elsewhere is installed.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    static INSTALLING: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _one_at_a_time = INSTALLING.lock();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new().set_buckets(&BUCKETS_SECONDS)?.install_recorder()?;
    describe();
    begin_at_zero();
    Ok(HANDLE.get_or_init(|| handle).clone())
}

fn describe() {
    for (name, unit, text) in COUNTERS {
        describe_counter!(*name, *unit, *text);
    }
    for (name, unit, text) in GAUGES {
        describe_gauge!(*name, *unit, *text);
    }
    for (name, text) in HISTOGRAMS_SECONDS {
        describe_histogram!(*name, Unit::Seconds, *text);
    }
}

/// What a gauge tells.
///
/// # Panics
/// If it is not in the list.
pub(crate) fn help(gauge: &str) -> &'static str {
    let found = GAUGES.iter().find(|(name, ..)| *name == gauge);
    found.map(|(.., text)| *text).expect("every gauge is in the list: `cargo xtask tidy` holds it")
}

/// Counters from which alerts are made, at 0: a counter that first appears with 1 has not increased.
fn begin_at_zero() {
    counter!("nearline_quarantined_events_total").increment(0);
    counter!("nearline_supervisor_panics_total").increment(0);
    counter!("nearline_threads_left_behind_total").increment(0);
    counter!("nearline_queries_shed_total").increment(0);
    counter!("nearline_bodies_shed_total").increment(0);
    counter!("nearline_http_stalled_connections_total").increment(0);
    counter!("nearline_ownership_starts_total").increment(0);
}

const COUNTERS: &[(&str, Unit, &str)] = &[
    ("nearline_http_requests_total", Unit::Count, "HTTP requests, by route and status"),
    (
        "nearline_event_requests_total",
        Unit::Count,
        "Requests to publish that came over NATS, by the status that HTTP would have given",
    ),
    (
        "nearline_replies_refused_total",
        Unit::Count,
        "Requests over NATS whose answer was to go to a subject that is no inbox",
    ),
    ("nearline_key_refusals_total", Unit::Count, "Callers turned away for their keys, by why"),
    (
        "nearline_certificate_read_failures_total",
        Unit::Count,
        "Times that the files of a certificate could not be taken",
    ),
    ("nearline_http_handshake_failures_total", Unit::Count, "Connections that ended before TLS was spoken"),
    ("nearline_keys_read_failures_total", Unit::Count, "Times that the file of keys could not be taken"),
    ("nearline_audit_failures_total", Unit::Count, "Actions that did not reach the file of the audit log"),
    ("nearline_publish_events_total", Unit::Count, "Events published over HTTP, by outcome"),
    ("nearline_member_queries_total", Unit::Count, "Queries for a member's state, by source"),
    ("nearline_fold_events_total", Unit::Count, "Events folded"),
    ("nearline_rejects_total", Unit::Count, "Events dead-lettered, by reason"),
    (
        "nearline_log_clock_doubted_total",
        Unit::Count,
        "Records whose time stamp in the log was not believed, by direction",
    ),
    ("nearline_fold_limit_hits_total", Unit::Count, "Times a limit of member state was reached, by limit"),
    ("nearline_commit_events_total", Unit::Count, "Events committed"),
    ("nearline_commit_members_total", Unit::Count, "Member states written by commits"),
    ("nearline_commit_retries_total", Unit::Count, "Commits tried again"),
    ("nearline_cache_evictions_total", Unit::Count, "Members that left the cache"),
    ("nearline_member_loads_total", Unit::Count, "Members loaded from the store"),
    ("nearline_partition_restarts_total", Unit::Count, "Rebuilds of partition actors, by fault"),
    (
        "nearline_log_append_failures_total",
        Unit::Count,
        "Groups of events that the embedded log could not store",
    ),
    ("nearline_reader_failures_total", Unit::Count, "Readers of the log that failed"),
    (
        "nearline_aggregates_limit_hits_total",
        Unit::Count,
        "Times a limit of the aggregates was reached, by limit",
    ),
    ("nearline_invariant_violations_total", Unit::Count, "Invariants found broken, by number: must stay 0"),
    ("nearline_operational_events_total", Unit::Count, "Operational events, by name"),
    (
        "nearline_expression_evictions_total",
        Unit::Count,
        "Compiled filters and boosts that made room for others",
    ),
    (
        "nearline_expression_limit_hits_total",
        Unit::Count,
        "Requests whose filter and boost took too many steps",
    ),
    ("nearline_live_rankings_total", Unit::Count, "Times a live row was ranked"),
    ("nearline_live_events_total", Unit::Count, "Rows sent to live subscribers"),
    ("nearline_live_limit_hits_total", Unit::Count, "Live rows refused because as many were open as may be"),
    ("nearline_remediations_total", Unit::Count, "Remediations, by fault and action"),
    (
        "nearline_remediations_not_kept_total",
        Unit::Count,
        "Remediations that found no room on the way to the journal",
    ),
    ("nearline_facts_total", Unit::Count, "Facts put into the stream, by kind"),
    ("nearline_facts_left_out_total", Unit::Count, "Facts that did not reach the stream, by reason"),
    ("nearline_fold_clamped_total", Unit::Count, "Events whose own time was later than the log's"),
    ("nearline_quarantined_events_total", Unit::Count, "Events put into quarantine"),
    ("nearline_dead_letters_redriven_total", Unit::Count, "Dead letters' events published again"),
    ("nearline_threads_left_behind_total", Unit::Count, "Threads left behind in blocked actors"),
    ("nearline_zombies_retired_total", Unit::Count, "Replaced actors that woke up and ended without a trace"),
    ("nearline_aggregates_followed_total", Unit::Count, "Snapshots of the sums taken over from another node"),
    ("nearline_aggregates_relearned_total", Unit::Count, "Times the sums were started over from a snapshot"),
    (
        "nearline_aggregates_snapshots_refused_total",
        Unit::Count,
        "Snapshots of the sums not stored, by reason",
    ),
    (
        "nearline_node_failing_seconds",
        Unit::Seconds,
        "For how long the store or the log has not worked for this node",
    ),
    (
        "nearline_pauses_beyond_lease_total",
        Unit::Count,
        "Times that this process was away for longer than its lease",
    ),
    ("nearline_registry_restored_total", Unit::Count, "Times that the registry of nodes was made anew"),
    ("nearline_announcement_failures_total", Unit::Count, "Beats of this node that were not written"),
    ("nearline_artwork_limit_hits_total", Unit::Count, "Times a limit of artworks was reached, by limit"),
    ("nearline_catalogue_unreadable_titles_total", Unit::Count, "Stored titles that could not be read"),
    ("nearline_nats_disconnects_total", Unit::Count, "Connections to NATS that were lost"),
    ("nearline_nats_readers_broken_total", Unit::Count, "Readers of NATS streams that broke"),
    ("nearline_nodes_buried_total", Unit::Count, "Nodes judged dead"),
    ("nearline_ownership_starts_total", Unit::Count, "Partitions taken over"),
    ("nearline_ownership_stops_total", Unit::Count, "Partitions given up"),
    ("nearline_peer_answers_total", Unit::Count, "Questions of other nodes answered, by outcome"),
    ("nearline_peer_questions_dropped_total", Unit::Count, "Questions of other nodes that found no room"),
    ("nearline_queries_hedged_total", Unit::Count, "Queries for which the store was asked, too"),
    (
        "nearline_answers_without_catalogue_total",
        Unit::Count,
        "Questions with a country answered without titles, since the catalogue had not come",
    ),
    ("nearline_queries_shed_total", Unit::Count, "Queries turned away because too many were under way"),
    (
        "nearline_bodies_shed_total",
        Unit::Count,
        "Bodies turned away because all together would have taken too much memory",
    ),
    (
        "nearline_http_stalled_connections_total",
        Unit::Count,
        "Connections given up whose clients took nothing of their answers",
    ),
    (
        "nearline_trace_export_failures_total",
        Unit::Count,
        "Requests with spans that the collector did not take",
    ),
    ("nearline_supervisor_panics_total", Unit::Count, "Panics of supervisors themselves: must stay 0"),
];

const GAUGES: &[(&str, Unit, &str)] = &[
    (
        "nearline_memory_bytes",
        Unit::Bytes,
        "Memory by kind: all that the process has in use, and what single parts of it hold",
    ),
    ("nearline_ready", Unit::Count, "1 if every partition is live and was caught up with the log"),
    ("nearline_partitions", Unit::Count, "Partitions of the log, by their state on this node"),
    ("nearline_partition_live", Unit::Count, "1 if the partition is live on this node"),
    ("nearline_partition_epoch", Unit::Count, "Epoch of the partition's owner"),
    ("nearline_partition_folded_position", Unit::Count, "Position of the last record folded"),
    ("nearline_partition_committed_position", Unit::Count, "Position of the last commit"),
    (
        "nearline_partition_lag_positions",
        Unit::Count,
        "Records of the log not folded yet (messages, where these hold several); 0: caught up",
    ),
    (
        "nearline_partition_lag_seconds",
        Unit::Seconds,
        "How long the oldest record not folded yet may have waited; 0: caught up",
    ),
    ("nearline_partition_cached_members", Unit::Count, "Members in memory"),
    ("nearline_ranking_solved_titles", Unit::Count, "Titles between which weights are solved"),
    (
        "nearline_ranking_regularisation",
        Unit::Count,
        "Regularisation of the weights between titles, as chosen",
    ),
    (
        "nearline_ranking_direct_share",
        Unit::Count,
        "Share of what was played right before and after, as chosen",
    ),
    ("nearline_ranking_contests", Unit::Count, "Requests of which a play was learned from"),
    (
        "nearline_ranking_appeal_weight",
        Unit::Count,
        "What a feature of a title counts for beside others shown with it, of one standard deviation",
    ),
    ("nearline_ranking_tuning_probes", Unit::Count, "Plays that the ranking's weights were tried on"),
    ("nearline_ranking_tuning_gain", Unit::Count, "Mean of 10 / (9 + rank) of those plays"),
    ("nearline_ranking_step_weight", Unit::Count, "What a title counts for one more step back, as chosen"),
    ("nearline_certificate_expire_seconds", Unit::Seconds, "How long the certificate is good that ends next"),
    (
        "nearline_keys_expire_seconds",
        Unit::Seconds,
        "How long the key is good that ends next and has no successor; 0: it has ended",
    ),
    ("nearline_live_subscribers", Unit::Count, "Live rows open"),
    ("nearline_nodes_alive", Unit::Count, "Nodes that this one knows, itself included"),
    ("nearline_partitions_held", Unit::Count, "Partitions that this node holds"),
    ("nearline_leaked_threads", Unit::Count, "Threads left behind that are still stuck"),
    ("nearline_catalogue_titles", Unit::Count, "Titles of the catalogue"),
    ("nearline_aggregates_titles", Unit::Count, "Titles counted"),
    ("nearline_aggregates_transitions", Unit::Count, "Title-to-title transitions kept"),
    ("nearline_aggregates_table_entries", Unit::Count, "Entries of a table of the sums"),
    ("nearline_aggregates_table_limit", Unit::Count, "Entries of a table of the sums at most"),
    ("nearline_aggregates_snapshot_bytes", Unit::Bytes, "Size of the last snapshot of the aggregates"),
];

const HISTOGRAMS_SECONDS: &[(&str, &str)] = &[
    ("nearline_query_duration_seconds", "Time to answer a query, by route and source"),
    ("nearline_fold_batch_duration_seconds", "Time to fold one batch"),
    ("nearline_remediation_duration_seconds", "Time from a fault to its end, by action"),
    ("nearline_commit_duration_seconds", "Time of one commit"),
    ("nearline_ranking_choice_duration_seconds", "Processor time to choose the ranking's weights"),
    (
        "nearline_ranking_look_duration_seconds",
        "Time for which the sums are held to look at one piece of them",
    ),
    ("nearline_ranking_solve_duration_seconds", "Time to work out what the ranking needs beside the sums"),
    ("nearline_learn_duration_seconds", "Time to add one delta to the aggregates"),
    ("nearline_aggregates_snapshot_duration_seconds", "Time to store a snapshot of the aggregates"),
];

/// Something an operator may want to know: logged and counted together.
#[derive(Debug, Clone)]
pub enum OperationalEvent {
    /// The engine runs.
    EngineStarted {
        /// `embedded` or `cluster`.
        backend: String,
        /// Its partitions.
        partitions: u16,
    },
    /// The listeners are open.
    Listening {
        /// The API's address.
        http: SocketAddr,
        /// The operators' address.
        admin: Option<SocketAddr>,
    },
    /// Every partition has caught up with the log as of the start.
    BecameReady {
        /// Milliseconds since the start.
        after_ms: u64,
    },
    /// Somebody asked the program to stop.
    StopRequested {
        /// Who or what.
        cause: String,
    },
    /// It is closed, and what could be is committed.
    EngineStopped {
        /// Milliseconds since the request.
        took_ms: u64,
        /// Partitions whose last events are not: they are replayed at the next start.
        uncommitted: usize,
    },
    /// A part outside cannot be reached.
    PartUnavailable {
        /// Which part.
        part: String,
        /// What happened.
        detail: String,
    },
}

impl OperationalEvent {
    /// Stable name, in metrics and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::EngineStarted { .. } => "engine_started",
            Self::Listening { .. } => "listening",
            Self::BecameReady { .. } => "became_ready",
            Self::StopRequested { .. } => "stop_requested",
            Self::EngineStopped { .. } => "engine_stopped",
            Self::PartUnavailable { .. } => "part_unavailable",
        }
    }

    /// Logs and counts it.
    pub fn emit(&self) {
        let event = self.name();
        metrics::counter!("nearline_operational_events_total", "event" => event).increment(1);
        match self {
            Self::EngineStarted { backend, partitions } => {
                tracing::info!(event, %backend, partitions, "the engine runs");
            }
            Self::Listening { http, admin } => match admin {
                Some(admin) => tracing::info!(event, %http, %admin, "listening"),
                None => tracing::info!(event, %http, "listening, without an admin listener"),
            },
            Self::BecameReady { after_ms } => {
                tracing::info!(event, after_ms, "ready: caught up with the log")
            }
            Self::StopRequested { cause } => tracing::info!(event, %cause, "stopping"),
            Self::EngineStopped { took_ms, uncommitted: 0 } => {
                tracing::info!(event, took_ms, "stopped: everything is committed");
            }
            Self::EngineStopped { took_ms, uncommitted } => {
                tracing::warn!(
                    event,
                    took_ms,
                    uncommitted,
                    "stopped: some partitions could not commit; what they folded last is replayed at the next start"
                );
            }
            Self::PartUnavailable { part, detail } => {
                tracing::warn!(event, %part, %detail, "not available; check that it runs and can be reached");
            }
        }
    }
}
