//! Which values are possible.

use super::layers::Origins;
use super::{BackendKind, Config, ConfigError, HttpSection, Listener, SecretUrl};
use nearline_model::identifier::{MAX_BLOCK, MAX_PARTITIONS, id_problem};
use std::net::SocketAddr;

/// Checks every value; the first impossible one is the error.
pub fn check(config: &Config, origins: &Origins) -> Result<(), ConfigError> {
    let check = Check { origins };
    check.engine(config)?;
    check.fold(config)?;
    check.facts(config)?;
    check.node(config)?;
    check.artwork(config)?;
    check.backends(config)?;
    check.listeners(config)?;
    check.live(config)?;
    check.ranking(config)?;
    check.experiments(config)?;
    check.remediation(config)?;
    check.access(config)?;
    check.telemetry(config)?;
    check.pair("http", &config.http.certificate_file, &config.http.key_file)?;
    check.pair("admin", &config.admin.certificate_file, &config.admin.key_file)?;
    if let Err(problem) = config.log.targets() {
        let expected =
            "a level (error, warn, info, debug, trace, off) or directives such as info,nearline=debug";
        return Err(check.impossible("log.level", format!("{:?} ({problem})", config.log.level), expected));
    }
    Ok(())
}

struct Check<'a> {
    origins: &'a Origins,
}

impl Check<'_> {
    fn impossible(&self, key: &str, found: impl ToString, expected: impl Into<String>) -> ConfigError {
        ConfigError::Impossible {
            key: key.to_owned(),
            found: found.to_string(),
            origin: self.origins.of(key),
            expected: expected.into(),
        }
    }

    fn range(&self, key: &str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(self.impossible(key, value, format!("{least} to {most}")))
    }

    fn ranges(&self, section: &str, ranges: &[(&str, u64, u64, u64)]) -> Result<(), ConfigError> {
        ranges.iter().try_for_each(|(key, value, least, most)| {
            self.range(&format!("{section}.{key}"), *value, *least, *most)
        })
    }

    fn engine(&self, config: &Config) -> Result<(), ConfigError> {
        let engine = &config.engine;
        self.ranges(
            "engine",
            &[
                ("partitions", engine.partitions.into(), 1, MAX_PARTITIONS.into()),
                ("workers", engine.workers as u64, 0, 1_024),
                ("commit_events", engine.commit_events, 1, 10_000_000),
                ("commit_interval_ms", engine.commit_interval_ms, 1, 60_000),
                ("commit_members", engine.commit_members as u64, 1, 1_000_000),
                ("cached_members", engine.cached_members as u64, 1, 1_000_000_000),
                ("solved_titles", engine.solved_titles as u64, 0, 16_384),
                ("batch_events", engine.batch_events as u64, 1, 65_536),
                ("snapshot_interval_ms", engine.snapshot_interval_ms, 100, 86_400_000),
                ("adding_nodes", engine.adding_nodes as u64, 1, 10_000),
                ("catalogue_wait_ms", engine.catalogue_wait_ms, 1, 600_000),
                ("query_deadline_ms", engine.query_deadline_ms, 1, 60_000),
                ("query_hedge_ms", engine.query_hedge_ms, 1, 60_000),
                ("restart_backoff_ms", engine.restart_backoff_ms, 1, 60_000),
                ("restart_backoff_max_ms", engine.restart_backoff_max_ms, 1, 600_000),
            ],
        )?;
        if engine.restart_backoff_max_ms < engine.restart_backoff_ms {
            let expected = format!("at least `engine.restart_backoff_ms`, {}", engine.restart_backoff_ms);
            return Err(self.impossible(
                "engine.restart_backoff_max_ms",
                engine.restart_backoff_max_ms,
                expected,
            ));
        }
        Ok(())
    }

    fn fold(&self, config: &Config) -> Result<(), ConfigError> {
        let (fold, aggregates) = (&config.fold, &config.aggregates);
        self.ranges(
            "fold",
            &[
                ("history_titles", fold.history_titles as u64, 1, 10_000),
                ("seen_titles", fold.seen_titles as u64, 1, 100_000),
                ("list_titles", fold.list_titles as u64, 1, 100_000),
                ("recent_ids", fold.recent_ids as u64, 1, 65_536),
                ("recent_seconds", fold.recent_seconds.into(), 1, 604_800),
                ("open_impressions", fold.open_impressions as u64, 1, 65_536),
                ("attribution_seconds", fold.attribution_seconds.into(), 1, 2_592_000),
                ("lateness_seconds", fold.lateness_seconds.into(), 0, 2_592_000),
                ("quality_seconds", fold.quality_seconds.into(), 1, 10_000_000),
                (
                    "quality_window_seconds",
                    fold.quality_window_seconds.into(),
                    fold.lateness_seconds.into(),
                    2_592_000,
                ),
                ("open_plays", fold.open_plays as u64, 1, 65_536),
                ("clock_jump_seconds", fold.clock_jump_seconds.into(), 60, 315_360_000),
                ("clock_settle_seconds", fold.clock_settle_seconds.into(), 1, 86_400),
                ("symbols_per_partition", fold.symbols_per_partition as u64, 1, 100_000_000),
                ("transition_window", fold.transition_window as u64, 1, 128),
                ("event_bytes", fold.event_bytes as u64, 256, 1_048_576),
            ],
        )?;
        self.ranges(
            "aggregates",
            &[
                ("epochs", aggregates.epochs.into(), 1, 17_520),
                ("popularity_half_life_epochs", aggregates.popularity_half_life_epochs.into(), 1, 17_520),
                ("trend_half_life_epochs", aggregates.trend_half_life_epochs.into(), 1, 17_520),
                ("titles", aggregates.titles as u64, 1, 100_000_000),
                ("dimensions", aggregates.dimensions as u64, 1, 65_536),
                ("transitions", aggregates.transitions as u64, 1, 1_000_000_000),
                ("rows", aggregates.rows as u64, 1, 4_096),
                ("place_epochs", aggregates.place_epochs.into(), 1, 17_520),
                ("variants", aggregates.variants as u64, 1, 65_536),
                ("variant_epochs", aggregates.variant_epochs.into(), 1, 17_520),
                ("arms", aggregates.arms as u64, 1, 1_000_000_000),
                ("arm_half_life_epochs", aggregates.arm_half_life_epochs.into(), 1, 17_520),
            ],
        )
    }

    fn artwork(&self, config: &Config) -> Result<(), ConfigError> {
        let artwork = &config.artwork;
        if !(0.0001..=0.25).contains(&artwork.exploration_floor) {
            let found = artwork.exploration_floor;
            return Err(self.impossible("artwork.exploration_floor", found, "0.0001 to 0.25"));
        }
        self.ranges(
            "artwork",
            &[
                ("hold_seconds", artwork.hold_seconds.into(), 1, 31_536_000),
                ("refresh_seconds", artwork.refresh_seconds.into(), 0, 86_400),
                ("remembered", artwork.remembered as u64, 2, 100_000_000),
            ],
        )
    }

    fn node(&self, config: &Config) -> Result<(), ConfigError> {
        let node = &config.node;
        if let Some(problem) = id_problem(&node.name).filter(|_| !node.name.is_empty()) {
            let expected = "empty, or 1 to 64 characters of A-Z, a-z, 0-9, _ and -";
            return Err(self.impossible("node.name", format!("{:?} ({problem})", node.name), expected));
        }
        self.range("node.lease_ms", node.lease_ms, 400, 30_000)
    }

    fn facts(&self, config: &Config) -> Result<(), ConfigError> {
        let facts = &config.facts;
        if !(0.0..=1.0).contains(&facts.decision_share) {
            return Err(self.impossible("facts.decision_share", facts.decision_share, "0 to 1"));
        }
        // Embedded, the oldest go by whole files.
        let least_bytes = if config.backend.kind == BackendKind::Embedded { 1 << 20 } else { 0 };
        self.ranges(
            "facts",
            &[
                ("titles", facts.titles as u64, 1, 1_000),
                ("decision_queue", facts.decision_queue as u64, 1, 1_000_000),
                ("stream_bytes", facts.stream_bytes, least_bytes, i64::MAX as u64),
            ],
        )
    }

    fn backends(&self, config: &Config) -> Result<(), ConfigError> {
        let (embedded, nats, redis) = (&config.embedded, &config.nats, &config.redis);
        if embedded.directory.trim().is_empty() {
            return Err(self.impossible("embedded.directory", "empty", "the path of a directory"));
        }
        self.range("embedded.duplicate_window_seconds", embedded.duplicate_window_seconds, 1, 86_400)?;
        self.range("embedded.duplicate_window_ids", embedded.duplicate_window_ids as u64, 1, 100_000_000)?;
        self.range("embedded.retention_events", embedded.retention_events, 0, u64::MAX)?;
        self.url("nats.url", &nats.url, &["nats", "tls"])?;
        let (node, server) = (["redis", "rediss"], ["redis", "rediss", "unix", "redis+unix"]);
        let schemes: &[&str] = if redis.cluster { &node } else { &server };
        self.url("redis.url", &redis.url, schemes)?;
        if redis.url.each().count() > 1 && !redis.cluster {
            let expected = "one URL, or several of a Redis Cluster with redis.cluster = true";
            return Err(self.impossible("redis.url", &redis.url, expected));
        }
        let names = [
            ("nats.stream", nats.stream.as_str()),
            ("nats.dead_letter_stream", &nats.dead_letter_stream),
            ("nats.catalogue_bucket", &nats.catalogue_bucket),
            ("nats.nodes_bucket", &nats.nodes_bucket),
            ("nats.remediation_stream", &nats.remediation_stream),
            ("nats.fact_stream", &nats.fact_stream),
            ("redis.key_prefix", &redis.key_prefix),
        ];
        let tokens = nats.subject_prefix.split('.').map(|token| ("nats.subject_prefix", token));
        for (key, text) in names.into_iter().chain(tokens) {
            if let Some(problem) = id_problem(text) {
                return Err(self.impossible(
                    key,
                    format!("{text:?} ({problem})"),
                    "1 to 64 characters of A-Z, a-z, 0-9, _ and -",
                ));
            }
        }
        self.ranges(
            "nats",
            &[
                ("connections", nats.connections as u64, 1, 64),
                ("replicas", nats.replicas as u64, 1, 5),
                ("duplicate_window_seconds", nats.duplicate_window_seconds, 1, 86_400),
                ("max_age_seconds", nats.max_age_seconds, 0, 3_153_600_000),
                ("max_bytes", nats.max_bytes, 0, i64::MAX as u64),
                ("block_events", nats.block_events.into(), 1, MAX_BLOCK.into()),
                ("reader_records", nats.reader_records as u64, 1, 1_000_000),
                ("timeout_ms", nats.timeout_ms, 1, 60_000),
            ],
        )?;
        self.range("redis.timeout_ms", redis.timeout_ms, 1, 60_000)?;
        self.pair("nats", &nats.certificate_file, &nats.key_file)?;
        self.pair("redis", &redis.certificate_file, &redis.key_file)?;
        // Events that the log forgets while they may still come again would be folded twice.
        if config.backend.kind == BackendKind::Cluster
            && nats.max_age_seconds > 0
            && nats.max_age_seconds < nats.duplicate_window_seconds
        {
            let expected = format!(
                "0, or at least `nats.duplicate_window_seconds`, {} s",
                nats.duplicate_window_seconds
            );
            return Err(self.impossible("nats.max_age_seconds", nats.max_age_seconds, expected));
        }
        Ok(())
    }

    /// A certificate and its key.
    fn pair(&self, section: &str, certificate: &str, key: &str) -> Result<(), ConfigError> {
        match (certificate.is_empty(), key.is_empty()) {
            (true, false) => {
                let expected = format!("the file of the certificate that `{section}.key_file` belongs to");
                Err(self.impossible(&format!("{section}.certificate_file"), "empty", expected))
            }
            (false, true) => {
                let expected = format!("the file of the key that `{section}.certificate_file` belongs to");
                Err(self.impossible(&format!("{section}.key_file"), "empty", expected))
            }
            _ => Ok(()),
        }
    }

    fn url(&self, key: &str, url: &SecretUrl, schemes: &[&str]) -> Result<(), ConfigError> {
        for one in url.each() {
            let (scheme, rest) = one.split_once("://").unwrap_or_default();
            if !schemes.contains(&scheme) || rest.is_empty() {
                let expected = format!("a URL that starts with {}://", schemes.join(":// or "));
                return Err(self.impossible(key, format!("{url:?}"), expected));
            }
        }
        Ok(())
    }

    fn listeners(&self, config: &Config) -> Result<(), ConfigError> {
        let (http, admin) = (&config.http, &config.admin);
        if let Some(origin) = http.named_origins().find(|origin| !is_origin(origin)) {
            let expected = "origins separated by commas, such as https://app.example: scheme, host and port alone, \
                            each of them named";
            return Err(self.impossible("http.cors_origins", format!("{origin:?}"), expected));
        }
        let address = self.address("http.address", &http.address)?;
        let admin_address = self.address("admin.address", &admin.address)?;
        if admin.enabled && address == admin_address && address.port() != 0 {
            let expected = "another address than `http.address`: the admin listener is not for the public";
            return Err(self.impossible("admin.address", format!("{:?}", admin.address), expected));
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"-._".contains(&sign))
        };
        for (key, hosts) in [("http.hosts", &http.hosts), ("admin.hosts", &admin.hosts)] {
            if !hosts.trim().is_empty() && !hosts.split(',').map(str::trim).all(is_name) {
                let expected = "empty, or names of hosts without scheme and port, separated by commas";
                return Err(self.impossible(key, format!("{hosts:?}"), expected));
            }
        }
        self.range("admin.audit_bytes", admin.audit_bytes, 65_536, 1_099_511_627_776)?;
        // Lowering `max_limit` alone is fine: answers are then as long as that.
        let most_by_default = http.max_limit.max(HttpSection::default().default_limit) as u64;
        // A compressed body and what it becomes.
        let room_for_one = 2 * http.max_body_bytes as u64;
        self.ranges(
            "http",
            &[
                ("workers", http.workers as u64, 0, 1_024),
                ("max_body_bytes", http.max_body_bytes as u64, 1_024, 1_073_741_824),
                ("max_bodies_bytes", http.max_bodies_bytes as u64, room_for_one, 1_099_511_627_776),
                ("max_events_per_request", http.max_events_per_request as u64, 1, 1_000_000),
                ("max_limit", http.max_limit as u64, 1, 10_000),
                ("default_limit", http.default_limit as u64, 1, most_by_default),
                ("max_connections", http.max_connections as u64, 1, 1_000_000),
                ("head_timeout_ms", http.head_timeout_ms, 10, 600_000),
                ("body_timeout_ms", http.body_timeout_ms, 10, 600_000),
                ("keep_alive_seconds", http.keep_alive_seconds, 1, 3_600),
                ("max_queries_under_way", http.max_queries_under_way as u64, 1, 1_000_000),
                ("shutdown_seconds", http.shutdown_seconds, 0, 600),
                ("session_titles", http.session_titles as u64, 1, 10_000),
                ("session_seconds", http.session_seconds, 1, 86_400),
                ("expression_steps", http.expression_steps, 1_000, 1_000_000_000),
                ("compiled_expressions", http.compiled_expressions as u64, 1, 100_000),
            ],
        )
    }

    fn telemetry(&self, config: &Config) -> Result<(), ConfigError> {
        let telemetry = &config.telemetry;
        if !(0.0..=1.0).contains(&telemetry.sampling) {
            return Err(self.impossible("telemetry.sampling", telemetry.sampling, "a share from 0 to 1"));
        }
        let is_url = ["http://", "https://"].iter().any(|scheme| telemetry.endpoint.starts_with(scheme));
        if telemetry.endpoint.is_empty() || is_url {
            return Ok(());
        }
        let expected = "the URL of a collector, such as http://127.0.0.1:4318, or nothing";
        Err(self.impossible("telemetry.endpoint", format!("{:?}", telemetry.endpoint), expected))
    }

    fn live(&self, config: &Config) -> Result<(), ConfigError> {
        let live = &config.live;
        self.ranges(
            "live",
            &[
                ("max_subscribers", live.max_subscribers as u64, 0, 1_000_000),
                ("min_interval_ms", live.min_interval_ms, 10, 5_000),
                ("trend_interval_ms", live.trend_interval_ms, 50, 3_600_000),
                ("keep_alive_seconds", live.keep_alive_seconds, 1, 3_600),
                ("max_seconds", live.max_seconds, 1, 86_400),
            ],
        )
    }

    fn ranking(&self, config: &Config) -> Result<(), ConfigError> {
        match config.ranking.out_of_bounds() {
            None => Ok(()),
            Some((key, value, least, most)) => Err(self.impossible(
                &format!("ranking.{key}"),
                value,
                format!("a number from {least} to {most}"),
            )),
        }
    }

    fn experiments(&self, config: &Config) -> Result<(), ConfigError> {
        let checked = config.experiments();
        checked.map(drop).map_err(|error| ConfigError::Impossible {
            origin: self.origins.of("experiments"),
            key: error.key,
            found: error.found,
            expected: error.expected,
        })
    }

    fn remediation(&self, config: &Config) -> Result<(), ConfigError> {
        let remediation = &config.remediation;
        self.ranges(
            "remediation",
            &[
                ("poison_attempts", remediation.poison_attempts.into(), 1, 100),
                ("quarantine_max", remediation.quarantine_max as u64, 0, 100_000),
                ("hang_ms", remediation.hang_ms, 200, 600_000),
                ("reader_stall_ms", remediation.reader_stall_ms, 200, 600_000),
                ("leaked_threads", remediation.leaked_threads as u64, 0, 1_024),
                ("node_rebuilds", remediation.node_rebuilds as u64, 1, 1_000_000),
                ("node_window_seconds", remediation.node_window_seconds, 1, 86_400),
                ("give_away_after_ms", remediation.give_away_after_ms, 100, 3_600_000),
            ],
        )?;
        let address = self.address("admin.address", &config.admin.address)?;
        if config.chaos.enabled && !(config.admin.enabled && address.ip().is_loopback()) {
            let expected = format!(
                "false, or an operators' listener on loopback; `admin.enabled` is {}, `admin.address` {address}",
                config.admin.enabled
            );
            return Err(self.impossible("chaos.enabled", true, expected));
        }
        Ok(())
    }

    /// What others reach asks for keys, or is said to be open.
    fn access(&self, config: &Config) -> Result<(), ConfigError> {
        let access = &config.access;
        if !access.keys_file.is_empty() {
            return Ok(());
        }
        for Listener { section, address, .. } in config.listeners() {
            let key = format!("{section}.address");
            if !access.may_be_open(self.address(&key, address)?.ip()) {
                let expected = "a loopback address, or keys for its callers (make one with `nearline key new` and name \
                                the file in `access.keys_file`), or `access.insecure = true` if whoever reaches it may \
                                do everything";
                return Err(self.impossible(&key, format!("{address:?}"), expected));
            }
        }
        Ok(())
    }

    fn address(&self, key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
        text.parse().map_err(|_| {
            self.impossible(key, format!("{text:?}"), "an IP address and a port, such as 127.0.0.1:7700")
        })
    }
}

/// What a browser sends as `Origin`: a scheme and a host, perhaps with a port.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    matches!(scheme, "http" | "https")
        && !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte))
}
