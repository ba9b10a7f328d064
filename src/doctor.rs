//! What `nearline doctor` looks at: the configuration, keys, this machine, and the backend. Nothing is changed.

mod machine;

use crate::certificate::Certificate;
use crate::traces;
use nearline_config::{BackendKind, Config, Listener, examine_backend, read_keys};
use nearline_model::timestamp::format_rfc3339;
use nearline_ports::finding::Finding;
use std::net::SocketAddr;
use std::path::Path;

const DAY_MS: i64 = 86_400_000;
/// How long before a key ends it is told.
const SOON_MS: i64 = 14 * DAY_MS;

/// Looks at everything; the worst is not first, the order is that of the parts.
pub async fn examine(config: &Config, now_ms: i64) -> Vec<Finding> {
    let mut findings = vec![configuration(config)];
    findings.extend(access(config, now_ms));
    findings.extend(certificates(config, now_ms));
    findings.extend(records(config));
    findings.extend(machine::examine(config));
    findings.extend(examine_backend(config).await);
    findings
}

fn configuration(config: &Config) -> Finding {
    let backend = match config.backend.kind {
        BackendKind::Embedded => "embedded",
        BackendKind::Cluster => "cluster",
    };
    let partitions = config.engine.partitions;
    Finding::ok(
        "configuration",
        format!("every key is known and possible; backend {backend}, {partitions} partitions"),
    )
}

/// What the listeners show, until when, and whether keys travel where others can read them.
fn certificates(config: &Config, now_ms: i64) -> Vec<Finding> {
    const PART: &str = "certificates";
    let mut findings = Vec::new();
    for Listener { section, address, certificate } in config.listeners() {
        let beyond = address.parse::<SocketAddr>().is_ok_and(|at| !at.ip().to_canonical().is_loopback());
        let Some(files) = certificate else {
            if beyond {
                let says = format!("{section}: plain HTTP on {address}; keys can be read on the way");
                let advice =
                    format!("set {section}.certificate_file, or put something that speaks TLS before it");
                findings.push(Finding::warn(PART, says, advice));
            }
            continue;
        };
        let replace = "replace both files; they are read again within two seconds";
        findings.push(match Certificate::open(Some(files)) {
            Err(error) => Finding::fail(PART, format!("{section}: {error}"), replace),
            Ok(shown) => {
                let ends_ms = shown.map_or(i64::MAX, |shown| shown.ends_ms());
                let ends = format_rfc3339(ends_ms);
                if ends_ms <= now_ms {
                    Finding::fail(PART, format!("{section}: the certificate ended {ends}"), replace)
                } else {
                    let says = format!("{section}: the certificate ends {ends}");
                    Finding::warn_unless(ends_ms > now_ms + SOON_MS, PART, says, replace)
                }
            }
        });
    }
    findings
}

/// Where traces and what operators did are recorded, if anywhere.
fn records(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = traces::is_built_for(config) {
        findings.push(Finding::fail(
            "traces",
            error.to_string(),
            "correct `telemetry.endpoint`, or build the program for it",
        ));
    }
    let audit = Path::new(&config.admin.audit_file);
    if audit.as_os_str().is_empty() {
        return findings;
    }
    let advice = "let this user write there, or name another file in `admin.audit_file`";
    let parent = audit.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    findings.push(match std::fs::OpenOptions::new().append(true).open(audit) {
        Ok(_) => Finding::ok("audit", format!("{} takes lines", audit.display())),
        Err(error)
            if error.kind() == std::io::ErrorKind::NotFound
                && rustix::fs::access(parent, rustix::fs::Access::WRITE_OK).is_ok() =>
        {
            Finding::ok("audit", format!("{} is not there yet", audit.display()))
        }
        Err(error) => Finding::fail("audit", format!("{} takes no lines: {error}", audit.display()), advice),
    });
    findings
}

/// Who may call, and until when.
fn access(config: &Config, now_ms: i64) -> Vec<Finding> {
    const PART: &str = "access";
    let access = &config.access;
    if access.keys_file.is_empty() {
        return vec![Finding::warn_unless(
            !access.insecure,
            PART,
            if access.insecure {
                "whoever reaches a listener may call it"
            } else {
                "no keys; both listeners are on loopback"
            },
            "make keys (nearline key new), name their file in access.keys_file, take access.insecure out",
        )];
    }
    let keys = match read_keys(Path::new(&access.keys_file)) {
        Ok(keys) => keys,
        Err(error) => {
            return vec![Finding::fail(
                PART,
                error.to_string(),
                "nearline key new --file writes such a file",
            )];
        }
    };
    let advice = "make a key with nearline key new";
    let mut findings =
        vec![Finding::fail_unless(!keys.is_empty(), PART, format!("{} keys", keys.len()), advice)];
    for key in &keys {
        let Some(ends_ms) = key.expires_ms().filter(|ends_ms| *ends_ms < now_ms + SOON_MS) else { continue };
        let has_successor = keys.iter().any(|other| {
            other.name == key.name && other.expires_ms().is_none_or(|other_ms| other_ms > ends_ms)
        });
        if !has_successor {
            let ends = if ends_ms <= now_ms { "has ended" } else { "ends" };
            let says =
                format!("the key of {} {ends} {}, and has no successor", key.name, format_rfc3339(ends_ms));
            findings.push(Finding::warn(PART, says, "make another one of the same name (nearline key new)"));
        }
    }
    findings
}
