//! The load of `bench query` and `bench overload`, a process of its own: what it costs is not taken from who is measured.
//!
//! Each connection has a thread, which sleeps until a query is due, asks, and reads the answer. Latency counts from
//! when the query was due; how late it was asked is told apart: that is the measure's own error, and what a
//! connection that was still busy adds.

use anyhow::{Context, bail, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::process;

/// Longest time that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to ask, and how often. Members are read from standard input, one a line.
#[derive(Debug, Args)]
pub struct QueryLoadArgs {
    /// Whom to ask.
    #[arg(long)]
    address: SocketAddr,
    /// Queries a second.
    #[arg(long)]
    rate: u64,
    /// How many queries.
    #[arg(long)]
    queries: u64,
    /// Connections, each with a thread.
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

pub fn run(args: &QueryLoadArgs) -> anyhow::Result<()> {
    ensure!(args.rate > 0 && args.connections > 0, "there is nothing to ask");
    let members: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    ensure!(!members.is_empty(), "no members were told");
    let connections: Vec<Connection> =
        (0..args.connections).map(|_| Connection::open(args.address)).collect::<anyhow::Result<_>>()?;
    // Everything is there before the first query is due.
    let started = Instant::now() + Duration::from_millis(100);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let members = &members;
        let asking: Vec<_> = (0..)
            .zip(connections)
            .map(|(number, connection)| scope.spawn(move || ask(args, number, connection, members, started)))
            .collect();
        asking.into_iter().map(|thread| thread.join().expect("a panic ends the program")).collect()
    });
    let mut all = Times::new()?;
    for outcome in outcomes {
        all.add(&outcome?)?;
    }
    let measured = Measured {
        answered: all.latency_us.len(),
        latency_us: Quantiles::of(&all.latency_us),
        answer_us: Quantiles::of(&all.answer_us),
        refused: all.refusal_us.len(),
        refusal_us: Quantiles::of(&all.refusal_us),
        late_us: Quantiles::of(&all.late_us),
        elapsed_s: started.elapsed().as_secs_f64(),
        cpu_s: process::cpu_time().as_secs_f64(),
    };
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
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

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.latency_us.add(&other.latency_us)?;
        self.answer_us.add(&other.answer_us)?;
        self.refusal_us.add(&other.refusal_us)?;
        self.late_us.add(&other.late_us)?;
        Ok(())
    }
}

/// Asks every query that is the connection's.
fn ask(
    args: &QueryLoadArgs,
    number: u64,
    mut connection: Connection,
    members: &[String],
    started: Instant,
) -> anyhow::Result<Times> {
    let mut times = Times::new()?;
    let mut query = number;
    while query < args.queries {
        let after_ns = u128::from(query) * 1_000_000_000 / u128::from(args.rate);
        let due =
            started + Duration::from_nanos(u64::try_from(after_ns).context("a query that is never due")?);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let asked = Instant::now();
        times.late_us.saturating_record(asked.saturating_duration_since(due).as_micros() as u64);
        let member = &members[(query as usize).wrapping_mul(7_919) % members.len()];
        match connection.recommendations(member)? {
            Status::Answered => {
                times.latency_us.saturating_record(due.elapsed().as_micros() as u64);
                times.answer_us.saturating_record(asked.elapsed().as_micros() as u64);
            }
            Status::Refused if args.refusable => {
                times.refusal_us.saturating_record(asked.elapsed().as_micros() as u64);
            }
            Status::Refused => bail!("a query was refused: the node is busy with something else"),
        }
        query += args.connections;
    }
    Ok(times)
}

/// What became of a query.
enum Status {
    Answered,
    /// The node has too much to do.
    Refused,
}

/// A kept-alive HTTP/1.1 connection that costs the measuring side as little as possible.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { stream: connect(address)?, buffer: vec![0; 65_536] })
    }

    /// Asks for a member's recommendations and reads the whole answer.
    fn recommendations(&mut self, member: &str) -> anyhow::Result<Status> {
        let request =
            format!("GET /v1/members/{member}/recommendations?limit=20 HTTP/1.1\r\nhost: bench\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        let mut filled = 0;
        loop {
            ensure!(filled < self.buffer.len(), "an answer longer than {} bytes", self.buffer.len());
            let read = self.stream.read(&mut self.buffer[filled..]).context("waiting for an answer")?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let answer = &self.buffer[..filled];
            let Some(head_end) = find(answer, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&answer[..head_end])?.to_ascii_lowercase();
            let status = match head.get("http/1.1 ".len()..).and_then(|rest| rest.get(..3)) {
                Some("200") => Status::Answered,
                // The latter: the node had no time to read the query.
                Some("429" | "408") => Status::Refused,
                _ => bail!("not a 200, 429 or 408: {head}"),
            };
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.context("an answer without content-length")?;
            if filled >= head_end + 4 + length {
                if head.contains("connection: close") {
                    self.stream = connect(self.stream.peer_addr()?)?;
                }
                return Ok(status);
            }
        }
    }
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
