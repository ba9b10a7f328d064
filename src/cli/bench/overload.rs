//! `bench overload`: what becomes of queries when more are asked than can be answered.
//!
//! Capacity is measured first: connections that ask again as soon as they are answered. Then queries are due at
//! multiples of it, each on a connection that waits for nothing else; what all connections together cannot keep up with
//! is asked late, so latency counts from when a query was asked. The load is one thread, which has the same cores as the engine and takes its share of them.

use super::query::{Load, Served, ServedArgs};
use super::query_load::{Asked, Measured};
use super::report::Report;
use anyhow::ensure;
use clap::Args;

/// Connections that ask as fast as they are answered: two for each core of a small machine.
const CLOSED: usize = 4;
/// Connections over which more is asked than can be answered: as many queries as that are under way at most.
const OPEN: usize = 2_000;
/// Multiples of the capacity.
const MULTIPLES: [u64; 3] = [1, 2, 4];

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct OverloadArgs {
    #[command(flatten)]
    served: ServedArgs,
}

pub async fn run(args: &OverloadArgs) -> anyhow::Result<Report> {
    let served = &args.served;
    ensure!(served.seconds > 0, "the measure takes at least a second");
    let mut service = Served::start(served, (1 + MULTIPLES.len() as u64) * served.seconds).await?;
    // All are due at once, so that nobody waits for a time.
    let queries = 1_000 * served.seconds;
    let closed =
        Load { asked: Asked::Row, rate: 1_000_000_000, queries, connections: CLOSED, refusable: true };
    let (Measured { answered, elapsed_s, .. }, _) = service.under(closed, served.seconds).await?;
    let capacity = (answered as f64 / elapsed_s) as u64;
    ensure!(capacity > 0, "nothing was answered");
    let budget = "at 4 × capacity what is answered is answered within the deadline (500 ms)";
    let mut report = Report::new("overload", served.backend.name(), budget)
        .figure("capacity_per_s", capacity as f64)
        .figure("events_per_s", served.events_rate as f64)
        .figure("titles", served.titles as f64);
    for multiple in MULTIPLES {
        let rate = capacity * multiple;
        let load = Load {
            asked: Asked::Row,
            rate,
            queries: rate * served.seconds,
            connections: OPEN,
            refusable: true,
        };
        let (measured, _) = service.under(load, served.seconds).await?;
        let per_s = |count: u64| count as f64 / measured.elapsed_s;
        for (what, value) in [
            ("asked_per_s", per_s(measured.answered + measured.refused)),
            ("answered_per_s", per_s(measured.answered)),
            ("answered_p50_ms", measured.answer_us.p50 as f64 / 1_000.0),
            ("answered_p99_ms", measured.answer_us.p99 as f64 / 1_000.0),
            ("answered_max_ms", measured.answer_us.max as f64 / 1_000.0),
            ("refused_per_s", per_s(measured.refused)),
            ("refused_p99_ms", measured.refusal_us.p99 as f64 / 1_000.0),
            ("asked_late_p99_ms", measured.late_us.p99 as f64 / 1_000.0),
        ] {
            report = report.figure(format!("x{multiple}_{what}"), value);
        }
    }
    service.stop().await;
    Ok(report)
}
