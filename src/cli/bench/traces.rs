//! `bench traces`: what recording traces costs, of the processor's time of those who serve.
//!
//! One process, one binary, one state: slices of the same work (queries and published events over HTTP, all committed) in turn
//! with no request recorded, with one in a hundred, and with none once more. What is told is the median of the differences within
//! each turn, with an interval; the difference between the two slices with none says what the measure itself is worth. Time is that of
//! threads, as the scheduler counts it: those that ask, that collect, and the solver, which works beside, are left out.

use super::paired::{interval, median};
use super::report::Report;
use super::{Backend, Bed, workload};
use crate::http;
use crate::traces::{Lots, install_with};
use anyhow::{Context, ensure};
use clap::Args;
use nearline_actors::{Engine, EngineSettings};
use nearline_config::Config;
use nearline_ports::NewEvent;
use nearline_ports::trace::{self, Kind, Span};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Share of requests, batches and commits that is recorded.
const SHARE: f64 = 0.01;
/// Events of a request.
const AT_ONCE: usize = 100;
/// Times that something short is done to be timed.
const OFTEN: u32 = 5_000_000;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct TracesArgs {
    /// Turns of three slices.
    #[arg(long, default_value_t = 60)]
    turns: usize,
    /// Queries of a slice.
    #[arg(long, default_value_t = 1_000)]
    queries: usize,
    /// Events of a slice.
    #[arg(long, default_value_t = 2_500)]
    events: usize,
    /// Members.
    #[arg(long, default_value_t = 20_000)]
    members: usize,
    /// Titles.
    #[arg(long, default_value_t = 2_000)]
    titles: usize,
    /// Events folded before.
    #[arg(long, default_value_t = 200_000)]
    warm_events: usize,
}

pub async fn run(args: &TracesArgs) -> anyhow::Result<Report> {
    let look_ns = look_ns();
    let bed = Bed::make(Backend::Embedded, 16).await?;
    let engine = Engine::start(bed.ports.clone(), EngineSettings::default()).await?;
    let slices = 3 * (args.turns + 1);
    let mut events = workload::events(args.warm_events + slices * args.events, args.members, args.titles, 1);
    let beside = events.split_off(args.warm_events);
    workload::fill(&*bed.ports.log, &events, 16).await?;
    engine.caught_up().await?;
    let members: Vec<String> = events.iter().take(args.queries).map(|event| event.member.clone()).collect();

    let lots = Arc::new(Lots::default());
    let (collector, collecting) = collect()?;
    let mut config = Config::default();
    config.http.address = "127.0.0.1:0".to_owned();
    config.admin.enabled = false;
    config.telemetry.endpoint = format!("http://{collector}");
    install_with(&config, lots.clone())?;
    let prometheus = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder().handle();
    let servers = http::serve(engine.clone(), &config, prometheus).await?;
    let asking = Asker::connect(servers.http)?;

    let mut measure =
        Measure { engine: engine.clone(), asking: Some(asking), members, not_counted: collecting, lots };
    let mut chunks = beside.chunks(args.events);
    let mut dice = StdRng::seed_from_u64(1);
    let (mut recorded, mut control, mut base_us) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..=args.turns {
        let mut order = [(0, 0.0), (1, SHARE), (2, 0.0)];
        order.shuffle(&mut dice);
        let mut us = [0.0; 3];
        for (which, share) in order {
            us[which] = measure.slice(share, chunks.next().context("events for each slice")?).await?;
        }
        // The first turn warms up.
        if turn > 0 {
            recorded.push(us[1] / us[0] - 1.0);
            control.push(us[2] / us[0] - 1.0);
            base_us.push(us[0]);
        }
    }
    let lots_a_slice = measure.lots.drawn() as f64 / slices as f64;
    let per_slice_us = median(&mut base_us.clone());
    servers.stop(false).await;
    engine.stop().await;
    let percent = |share: f64| share * 100.0;
    let (recorded_low, recorded_high) = interval(&recorded, &mut dice);
    let (control_low, control_high) = interval(&control, &mut dice);
    Ok(Report::new("traces", "embedded", "off ≤ 1 %, one of a hundred recorded ≤ 3 %")
        .figure("recorded_percent", percent(median(&mut recorded)))
        .figure("recorded_percent_low", percent(recorded_low))
        .figure("recorded_percent_high", percent(recorded_high))
        .figure("control_percent", percent(median(&mut control)))
        .figure("control_percent_low", percent(control_low))
        .figure("control_percent_high", percent(control_high))
        .figure("slice_cpu_ms", per_slice_us / 1_000.0)
        .figure("spans_asked_for_in_a_slice", lots_a_slice)
        .figure("off_ns_a_span", look_ns)
        .figure("off_percent", percent(lots_a_slice * look_ns / (per_slice_us * 1_000.0))))
}

/// Nanoseconds that a request's span, the part of it that looks for the member, and the way into it take while nothing records.
fn look_ns() -> f64 {
    let began = Instant::now();
    for _ in 0..OFTEN {
        let span = std::hint::black_box(Span::called(None, "request"));
        std::hint::black_box((trace::is_on(), span.context(), Span::here("part", Kind::Internal).context()));
    }
    began.elapsed().as_nanos() as f64 / f64::from(OFTEN)
}

/// Slices of the work.
struct Measure {
    engine: Engine,
    asking: Option<Asker>,
    members: Vec<String>,
    /// Threads that are not those who serve.
    not_counted: HashSet<u32>,
    lots: Arc<Lots>,
}

impl Measure {
    /// Microseconds of the processor that a slice took.
    async fn slice(&mut self, share: f64, events: &[NewEvent]) -> anyhow::Result<f64> {
        self.lots.set(share);
        let before = threads_us();
        let mut asking = self.asking.take().context("nobody else asks")?;
        let (members, events) = (self.members.clone(), events.to_vec());
        let asked = tokio::task::spawn_blocking(move || {
            asking.slice(&members, &events)?;
            anyhow::Ok((asking, rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()))
        });
        let (asking, own) = asked.await??;
        self.asking = Some(asking);
        self.not_counted.insert(own);
        self.engine.caught_up().await?;
        tokio::task::spawn_blocking(trace::flush).await?;
        let taken = threads_us().into_iter().filter(|(thread, _)| !self.not_counted.contains(thread));
        Ok(taken.map(|(thread, us)| us - before.get(&thread).copied().unwrap_or(0.0)).sum())
    }
}

/// Microseconds that each thread of this process has had so far; not those of the solver, whose work is no request's.
fn threads_us() -> HashMap<u32, f64> {
    let mut threads = HashMap::new();
    for entry in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        let on_cpu_ns = read("schedstat").split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
        if let (Some(thread), Some(ns)) =
            (entry.file_name().to_str().and_then(|id| id.parse().ok()), on_cpu_ns)
            && !read("comm").contains("solve")
        {
            threads.insert(thread, ns / 1_000.0);
        }
    }
    threads
}

/// One connection.
struct Asker(BufReader<TcpStream>);

impl Asker {
    fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn slice(&mut self, members: &[String], events: &[NewEvent]) -> anyhow::Result<()> {
        for member in members {
            self.ask(
                &format!("GET /v1/members/{member}/recommendations HTTP/1.1\r\nhost: localhost\r\n\r\n"),
                &[],
            )?;
        }
        for chunk in events.chunks(AT_ONCE) {
            let body = [
                b"[".as_slice(),
                &chunk.iter().map(|event| &event.payload[..]).collect::<Vec<_>>().join(&b','),
                b"]",
            ]
            .concat();
            let head = format!(
                "POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            self.ask(&head, &body)?;
        }
        Ok(())
    }

    fn ask(&mut self, head: &str, body: &[u8]) -> anyhow::Result<()> {
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let status = read_message(&mut self.0)?;
        ensure!(status.contains(" 200 "), "it was answered {status:?} to {head:?}");
        Ok(())
    }
}

/// Reads a message with its length; its first line.
fn read_message(from: &mut impl BufRead) -> anyhow::Result<String> {
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    ensure!(from.read_line(&mut first)? > 0, "the connection ended");
    while line.trim_end() != "" || line.is_empty() {
        line.clear();
        ensure!(from.read_line(&mut line)? > 0, "the connection ended");
        if let Some(bytes) = line.to_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse()?;
        }
    }
    from.read_exact(&mut vec![0; length])?;
    Ok(first)
}

/// A collector that takes everything: where it listens, and its thread.
fn collect() -> anyhow::Result<(SocketAddr, HashSet<u32>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (says, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _waits = says.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned());
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            if read_message(&mut stream).is_ok() {
                let _taken = stream
                    .get_mut()
                    .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            }
        }
    });
    Ok((address, HashSet::from([said.recv()?])))
}
