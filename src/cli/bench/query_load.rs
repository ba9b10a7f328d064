//! The load of `bench query` and `bench overload`, a process of its own: what it costs is not taken from who is measured.
//!
//! A connection sleeps until a query is due, asks, and reads the answer. Few connections have a [thread each](threads),
//! which is exact to microseconds; many share [one thread](tasks), since thousands that are awake at once would take the
//! processor from who is measured. Latency counts from
//! when the query was due; how late it was asked is told apart: that is the measure's own error, and what a
//! connection that was still busy adds.

mod answer;
mod tasks;
mod threads;

use super::process;
use answer::Status;
use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Longest time that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Connections with a thread each at most; of more, all share one.
const MOST_THREADS: u64 = 64;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Asked {
    /// A member's recommendations, 20 titles.
    Row,
    /// A member's home page, rows of 20 titles.
    Home,
    /// What trends, 20 titles.
    Trending,
}

impl Asked {
    /// Its name as an argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Home => "home",
            Self::Trending => "trending",
        }
    }
}

/// What to ask, and how often. Members are read from standard input, one a line.
#[derive(Debug, Clone, Args)]
pub struct QueryLoadArgs {
    /// Whom to ask.
    #[arg(long)]
    address: SocketAddr,
    /// What for.
    #[arg(long, value_enum, default_value_t = Asked::Row)]
    asked: Asked,
    /// Queries a second.
    #[arg(long)]
    rate: u64,
    /// How many queries.
    #[arg(long)]
    queries: u64,
    /// Connections, up to 64 with a thread each.
    #[arg(long)]
    connections: u64,
    /// Counts queries that are refused (429, 408), instead of taking one for a failure.
    #[arg(long)]
    refusable: bool,
}

/// What came of it, as printed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Queries answered.
    pub answered: u64,
    /// Microseconds from when a query was due to the end of its answer.
    pub latency_us: Quantiles,
    /// The same from when it was asked.
    pub answer_us: Quantiles,
    /// Queries refused.
    pub refused: u64,
    /// Microseconds from when one of them was asked to the end of the refusal.
    pub refusal_us: Quantiles,
    /// Microseconds from when a query was due to when it was asked.
    pub late_us: Quantiles,
    /// Seconds from the first query to the last answer.
    pub elapsed_s: f64,
    /// Processor time of the load.
    pub cpu_s: f64,
}

/// Of a distribution.
#[derive(Debug, Serialize, Deserialize)]
pub struct Quantiles {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Quantiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p99: at(0.99), max: histogram.max() }
    }
}

pub async fn run(args: &QueryLoadArgs) -> anyhow::Result<()> {
    ensure!(args.rate > 0 && args.connections > 0, "there is nothing to ask");
    let members: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    ensure!(!members.is_empty(), "no members were told");
    let outcomes = match args.connections <= MOST_THREADS {
        true => threads::ask(args, &members)?,
        false => tasks::ask(args, members).await?,
    };
    let mut all = Times::new()?;
    for times in &outcomes.times {
        all.add(times)?;
    }
    let measured = Measured {
        answered: all.latency_us.len(),
        latency_us: Quantiles::of(&all.latency_us),
        answer_us: Quantiles::of(&all.answer_us),
        refused: all.refusal_us.len(),
        refusal_us: Quantiles::of(&all.refusal_us),
        late_us: Quantiles::of(&all.late_us),
        elapsed_s: outcomes.elapsed_s,
        cpu_s: process::cpu_time().as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}

/// What came of all connections.
struct Outcomes {
    times: Vec<Times>,
    /// Seconds from the first query to the last answer.
    elapsed_s: f64,
}

/// What was timed, in microseconds.
struct Times {
    latency_us: Histogram<u64>,
    answer_us: Histogram<u64>,
    refusal_us: Histogram<u64>,
    late_us: Histogram<u64>,
}

impl Times {
    fn new() -> anyhow::Result<Self> {
        let empty = || Histogram::new_with_bounds(1, 600_000_000, 3);
        Ok(Self { latency_us: empty()?, answer_us: empty()?, refusal_us: empty()?, late_us: empty()? })
    }

    /// A query that was due, asked, and has its answer now.
    fn record(
        &mut self,
        due: Instant,
        asked: Instant,
        status: Status,
        args: &QueryLoadArgs,
    ) -> anyhow::Result<()> {
        self.late_us.saturating_record(asked.saturating_duration_since(due).as_micros() as u64);
        let answer_us = asked.elapsed().as_micros() as u64;
        match status {
            Status::Answered => {
                self.latency_us.saturating_record(due.elapsed().as_micros() as u64);
                self.answer_us.saturating_record(answer_us);
            }
            Status::Refused if args.refusable => self.refusal_us.saturating_record(answer_us),
            Status::Refused => bail!("a query was refused: the node is busy with something else"),
        }
        Ok(())
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latency_us.add(&other.latency_us)?;
        self.answer_us.add(&other.answer_us)?;
        self.refusal_us.add(&other.refusal_us)?;
        self.late_us.add(&other.late_us)?;
        Ok(())
    }
}

impl QueryLoadArgs {
    /// Every query of the connection of that number: when it is due after the start, and for whom.
    fn queries_of<'a>(
        &self,
        number: u64,
        members: &'a [String],
    ) -> impl Iterator<Item = anyhow::Result<(Duration, &'a str)>> + use<'a> {
        let (rate, connections) = (u128::from(self.rate), self.connections as usize);
        (number..self.queries).step_by(connections).map(move |query| {
            let after_ns = u64::try_from(u128::from(query) * 1_000_000_000 / rate);
            let member = &members[(query as usize).wrapping_mul(7_919) % members.len()];
            Ok((Duration::from_nanos(after_ns.context("a query that is never due")?), member.as_str()))
        })
    }
}
