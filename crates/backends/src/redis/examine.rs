//! Whether Redis is as the engine needs it, leaving nothing behind: for `nearline doctor`.

use super::RedisSettings;
use super::connection::Connections;
use super::scripts::EXAMINE;
use crate::server_version::major_minor;
use nearline_model::PartitionId;
use nearline_ports::finding::Finding;
use nearline_ports::{Clock, PortError, SystemClock};
use std::collections::BTreeMap;
use std::time::Instant;

const PART: &str = "redis";
/// The oldest server that knows what the scripts ask for.
const OLDEST: (u32, u32) = (6, 2);
/// How far clocks may be apart, in milliseconds.
const CLOCKS_APART_MS: i64 = 1_000;
/// Share of `maxmemory` from which it is told.
const NEARLY_FULL: f64 = 0.85;

/// What a server answers: milliseconds since 1970, version, run id, bytes used, bytes at most, policy, whether there is an
/// append-only file.
type Answer = (i64, String, String, u64, u64, String, u64);

/// One server, as a partition met it.
struct Server {
    answer: Answer,
    apart_ms: i64,
    took_ms: f64,
    partitions: u32,
}

/// Looks at everything that the engine needs of Redis: on each partition's server, a script writes, removes what it wrote, and
/// tells how the server stands.
pub async fn examine(settings: RedisSettings, partitions: u16) -> Vec<Finding> {
    let connections = match Connections::connect(&settings).await {
        Ok(connections) => connections,
        Err(error) => {
            let advice =
                "start Redis there, or correct redis.url, redis.cluster and what this node signs in with";
            return vec![Finding::fail(PART, error.to_string(), advice)];
        }
    };
    let mut servers: BTreeMap<String, Server> = BTreeMap::new();
    for partition in (0..partitions).map(PartitionId) {
        match meet(&connections, &settings.key_prefix, partition).await {
            Ok(met) => {
                servers
                    .entry(met.answer.2.clone())
                    .and_modify(|server| server.partitions += 1)
                    .or_insert(met);
            }
            Err(error) => {
                let says = format!("partition {partition}: {error}");
                return vec![Finding::fail(PART, says.clone(), advice(&says))];
            }
        }
    }
    let what = connections.what();
    let mut findings =
        vec![Finding::ok(PART, format!("{what}: scripts run and write for {partitions} partitions"))];
    servers.values().for_each(|server| findings.extend(of_server(server)));
    findings
}

/// What to do where Redis says this.
fn advice(says: &str) -> &'static str {
    match says {
        says if says.contains("READONLY") => "name the master in redis.url, not a replica of it",
        says if says.contains("CLUSTERDOWN") => {
            "bring the masters of all slots back (`redis-cli cluster info`, `cluster nodes`)"
        }
        says if says.contains("NOAUTH") => "write user and password into redis.url",
        says if says.contains("refuses what Nearline does") => {
            "give this user the rights that k8s/overlays/production/users.acl gives `nearline`"
        }
        says if says.contains("OOM") => "give Redis more memory, or more masters: maxmemory is reached",
        _ => {
            "let this user run scripts (EVAL, EVALSHA), read, write, and ask TIME and INFO on its keys; \
             where memory is used up, give Redis more"
        }
    }
}

async fn meet(connections: &Connections, prefix: &str, partition: PartitionId) -> Result<Server, PortError> {
    let key = format!("{prefix}:{{{partition}}}:doctor");
    let (asked, clock) = (Instant::now(), SystemClock);
    let answer: Answer = connections
        .run_script("examining", &EXAMINE, move |command| {
            command.arg(1).arg(&key);
        })
        .await?;
    let took = asked.elapsed();
    // As of the middle of the question.
    let here_ms = clock.now_ms() - took.as_millis() as i64 / 2;
    Ok(Server { apart_ms: answer.0 - here_ms, answer, took_ms: took.as_secs_f64() * 1_000.0, partitions: 1 })
}

fn of_server(server: &Server) -> Vec<Finding> {
    let (_, version, id, used, most, policy, appends) = &server.answer;
    let id = &id[..id.len().min(8)];
    let memory = match most {
        0 => format!("server {id}: {used} bytes used, without a limit"),
        most => format!("server {id}: {used} of {most} bytes used"),
    };
    vec![
        Finding::fail_unless(
            major_minor(version) >= OLDEST,
            PART,
            format!(
                "server {id} of version {version}, {} partitions, answered in {:.1} ms",
                server.partitions, server.took_ms
            ),
            "run Redis 6.2 or newer",
        ),
        Finding::fail_unless(
            policy == "noeviction",
            PART,
            format!("server {id}: maxmemory-policy {policy}"),
            "set maxmemory-policy noeviction: evicted keys are lost state",
        ),
        Finding::warn_unless(
            *most == 0 || (*used as f64) < NEARLY_FULL * *most as f64,
            PART,
            memory,
            "give it more memory, or more masters: a full Redis refuses commits",
        ),
        Finding::warn_unless(
            *appends == 1,
            PART,
            format!("server {id}: append-only file {}", if *appends == 1 { "on" } else { "off" }),
            "set appendonly yes (config/redis.conf): otherwise a restart of Redis replays the whole log",
        ),
        Finding::warn_unless(
            server.apart_ms.abs() <= CLOCKS_APART_MS,
            PART,
            format!("server {id}: its clock and this one's are {} ms apart", server.apart_ms.abs()),
            "run NTP on both: epochs and the log's times come of them",
        ),
    ]
}
