//! `bench state`: memory that Redis takes for one member with a history of plays.
//!
//! The real fold over a synthetic log that spreads the plays over thirty days, committed through
//! the real adapter into a private Redis.

use super::report::Report;
use anyhow::Context;
use clap::Args;
use nearline_backends::redis::{RedisSettings, connect};
use nearline_model::Position;
use nearline_model::identifier::partition_of;
use nearline_model::partition::Batch;
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{FoldSettings, LogRecord, Partition, PartitionId};
use nearline_ports::StateStore;
use nearline_servers::RedisServer;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::Arc;

const DAYS_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct StateArgs {
    /// Members.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Plays of each.
    #[arg(long, default_value_t = 50)]
    plays: usize,
    /// Titles they are about.
    #[arg(long, default_value_t = 10_000)]
    titles: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
}

pub async fn run(args: &StateArgs) -> anyhow::Result<Report> {
    let server = RedisServer::start()?;
    let settings = RedisSettings { url: server.url(), ..RedisSettings::default() };
    let store = connect(settings, args.partitions).await?;
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let before = used_memory(&mut connection).await?;
    let fold = FoldSettings::default();
    let mut encoded = 0;
    for partition in 0..args.partitions {
        encoded += commit_partition(args, &store, PartitionId(partition), &fold).await?;
    }
    let after = used_memory(&mut connection).await?;
    let mut stored = 0_u64;
    for partition in 0..args.partitions {
        let key = format!("nl:{{p{partition:02}}}:members");
        stored += redis::cmd("HLEN").arg(&key).query_async::<u64>(&mut connection).await?;
        // Deltas leave the outbox with the next snapshot of the aggregates: they are no state of members.
        let outbox = format!("nl:{{p{partition:02}}}:outbox");
        redis::cmd("DEL").arg(&outbox).query_async::<u64>(&mut connection).await?;
    }
    let members_only = used_memory(&mut connection).await?;
    anyhow::ensure!(stored == args.members as u64, "{stored} of {} members are stored", args.members);
    let per_member = (members_only - before) / args.members as f64;
    Ok(Report::new("state", "redis", "≤ 0.5 GiB for 1,000,000 members with 50 plays (537 bytes each)")
        .figure("bytes_per_member", per_member)
        .figure("encoded_bytes_per_member", encoded as f64 / args.members as f64)
        .figure("gib_per_million_members", per_member * 1e6 / f64::from(1 << 30))
        .figure("outbox_bytes_per_member_until_snapshot", (after - members_only) / args.members as f64)
        .figure("members", args.members as f64)
        .figure("plays_per_member", args.plays as f64))
}

async fn commit_partition(
    args: &StateArgs,
    store: &impl StateStore,
    id: PartitionId,
    fold: &FoldSettings,
) -> anyhow::Result<usize> {
    let members: Vec<String> = (0..args.members)
        .map(|member| format!("m{member}"))
        .filter(|member| partition_of(member, args.partitions) == id)
        .collect();
    let mut rng = StdRng::seed_from_u64(u64::from(id.0));
    let start_ms = super::workload::now_ms() - DAYS_MS;
    let mut plays: Vec<(i64, usize)> = (0..members.len() * args.plays)
        .map(|play| (start_ms + rng.random_range(0..DAYS_MS), play % members.len().max(1)))
        .collect();
    plays.sort_unstable();
    let acquired = store.acquire(id, "bench", &serde_json::to_string(fold)?).await?;
    let mut partition = Partition::new(id, args.partitions, fold.clone());
    for (chunk_at, chunk) in plays.chunks(20_000).enumerate() {
        let records = chunk
            .iter()
            .enumerate()
            .map(|(at, (at_ms, member))| {
                let number = chunk_at * 20_000 + at;
                let payload = format!(
                    r#"{{"id":"e{}-{number}","type":"play","member":"{}","title":"t{}","at":"{}"}}"#,
                    id.0,
                    members[*member],
                    rng.random_range(0..args.titles),
                    format_rfc3339(*at_ms)
                );
                // Positions count all partitions' events.
                let position = (number as u64 + 1) * u64::from(args.partitions) + u64::from(id.0);
                LogRecord { position: Position(position), log_ms: *at_ms, payload: payload.into() }
            })
            .collect();
        let (admitted, missing) = partition.admit(Batch::parse(records, fold.event_bytes));
        for slot in missing {
            partition.loaded(slot, None)?;
        }
        partition.fold(admitted, |_, _| {});
        if let Some(commit) = partition.take_commit(acquired.epoch) {
            store.commit(Arc::new(commit)).await?;
        }
    }
    Ok(partition.members().map(|(_, member)| member.encode().len()).sum())
}

async fn used_memory(connection: &mut redis::aio::MultiplexedConnection) -> anyhow::Result<f64> {
    let info: String = redis::cmd("INFO").arg("memory").query_async(connection).await?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
    used.context("INFO memory has no used_memory")
}
