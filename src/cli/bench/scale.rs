//! `bench scale`: what an event costs a cluster, by the number of its nodes.
//!
//! A log on NATS is filled first. Then so many nodes, each a process of its own, catch up with it on one Redis; the
//! clock runs from their start until all is committed and the sums of all nodes that add are complete; how much later those
//! that follow have taken over a snapshot of it is told apart. Processor time is the operating system's, of nodes and servers apart. They share this machine, so wall time says little; what
//! counts is whether processor time for an event stays as it is with one node. Nodes take further settings from the environment
//! (`NEARLINE__ENGINE__ADDING_NODES=8`).
//!
//! Each process also costs something by itself: its start, its first solve. So each cluster catches up with a quarter of the
//! events as well, and what the other three quarters cost is told apart (`cpu_us_per_further_event`).

use super::process::cpu_time_of;
use super::report::Report;
use super::{Backend, Bed, workload};
use anyhow::{Context, bail};
use clap::Args;
use nearline_model::{PartitionId, Position};
use nearline_ports::{NewEvent, Ports};
use nearline_servers::{command, free_address, spawn};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How long a cluster may take to catch up.
const DEADLINE: Duration = Duration::from_secs(600);
/// What part of the events each cluster catches up with first.
const FIRST_SHARE: usize = 4;
/// Pause between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(50);

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// Numbers of nodes, one cluster after another.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8", value_parser = clap::value_parser!(u16).range(1..=64))]
    nodes: Vec<u16>,
    /// Events that each cluster catches up with; before, one of its size with a quarter of them.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(4..))]
    events: usize,
    /// Members they come from.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Titles they are about.
    #[arg(long, default_value_t = 10_000)]
    titles: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
}

/// What one cluster took.
struct Cost {
    wall: Duration,
    nodes: Duration,
    nats: Duration,
    redis: Duration,
    /// From then until the nodes that follow had taken over a snapshot of everything.
    until_followed: Duration,
}

pub async fn run(args: &ScaleArgs) -> anyhow::Result<Report> {
    let events = workload::events(args.events, args.members, args.titles, 1);
    let mut report =
        Report::new("scale", Backend::Cluster.name(), "CPU an event grows by at most 20 % from 1 to 8 nodes");
    let mut of_one = None;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / args.events as f64;
    let first_events = args.events / FIRST_SHARE;
    for nodes in &args.nodes {
        let first = cost_of(&events[..first_events], *nodes, args).await?;
        let cost = cost_of(&events, *nodes, args).await?;
        let further = cost.nodes.as_secs_f64() - first.nodes.as_secs_f64();
        let further = further * 1e6 / (args.events - first_events) as f64;
        anyhow::ensure!(further > 0.0, "more events cost no more: too few, or the machine is too busy");
        let of_one = *of_one.get_or_insert((each(cost.nodes), further));
        let named = |what: &str| format!("{nodes}_nodes_{what}");
        report = report
            .figure(named("cpu_us_per_event"), each(cost.nodes))
            .figure(named("to_the_first"), each(cost.nodes) / of_one.0)
            .figure(named("cpu_us_per_further_event"), further)
            .figure(named("further_to_the_first"), further / of_one.1)
            .figure(named("nats_cpu_us_per_event"), each(cost.nats))
            .figure(named("redis_cpu_us_per_event"), each(cost.redis))
            .figure(named("wall_s"), cost.wall.as_secs_f64())
            .figure(named("followed_after_s"), cost.until_followed.as_secs_f64());
    }
    Ok(report)
}

/// What catching up with `events` costs so many nodes.
async fn cost_of(events: &[NewEvent], nodes: u16, args: &ScaleArgs) -> anyhow::Result<Cost> {
    let bed = Bed::make(Backend::Cluster, args.partitions).await?;
    workload::fill(&*bed.ports.log, events, 1).await?;
    catch_up(&bed, nodes, args).await.with_context(|| format!("{nodes} nodes"))
}

async fn catch_up(bed: &Bed, nodes: u16, args: &ScaleArgs) -> anyhow::Result<Cost> {
    let directory = tempfile::tempdir().context("a directory for the nodes")?;
    let urls = bed.urls.as_ref().context("the cluster bed has servers")?;
    let [nats, redis] = bed.server_processes().context("the cluster bed has servers")?;
    let ends = log_ends(&bed.ports).await?;
    let used = || [cpu_time_of(nats), cpu_time_of(redis)];
    let (started, before) = (Instant::now(), used());
    let mut running = Vec::new();
    for number in 1..=nodes {
        running.push(Node::start(directory.path(), number, urls, args)?);
    }
    until_all(&mut running, &bed.ports, &ends, |role| role != "follows").await?;
    let (wall, after) = (started.elapsed(), used());
    let nodes = running.iter().map(|node| cpu_time_of(node.child.id())).sum();
    until_all(&mut running, &bed.ports, &ends, |_| true).await?;
    let until_followed = started.elapsed() - wall;
    Ok(Cost { wall, nodes, nats: after[0] - before[0], redis: after[1] - before[1], until_followed })
}

async fn log_ends(ports: &Ports) -> anyhow::Result<Vec<Position>> {
    let mut ends = Vec::new();
    for partition in (0..ports.log.partitions()).map(PartitionId) {
        ends.push(ports.log.bounds(partition).await?.last);
    }
    Ok(ends)
}

/// Waits until everything is committed, and reflected by the sums of every node with one of these roles.
async fn until_all(
    nodes: &mut [Node],
    ports: &Ports,
    ends: &[Position],
    is_asked: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let started = Instant::now();
    'look: loop {
        if started.elapsed() > DEADLINE {
            bail!("it did not catch up within {DEADLINE:?}");
        }
        tokio::time::sleep(LOOK).await;
        for (partition, end) in (0..).map(PartitionId).zip(ends) {
            if ports.store.position(partition).await? < *end {
                for node in &mut *nodes {
                    node.is_running()?;
                }
                continue 'look;
            }
        }
        for node in &mut *nodes {
            if !node.has_sums(ends, &is_asked).await? {
                continue 'look;
            }
        }
        return Ok(());
    }
}

/// One node in a process of its own; it ends with this one, or when dropped.
struct Node {
    child: Child,
    number: u16,
    admin: SocketAddr,
    output: PathBuf,
}

impl Node {
    fn start(
        directory: &Path,
        number: u16,
        [nats, redis]: &[String; 2],
        args: &ScaleArgs,
    ) -> anyhow::Result<Self> {
        let (http, admin) = (free_address()?, free_address()?);
        let partitions = args.partitions;
        let text = format!(
            "[engine]\npartitions = {partitions}\n[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{nats}\"\n\
             [redis]\nurl = \"{redis}\"\n[http]\naddress = \"{http}\"\n[admin]\naddress = \"{admin}\"\n\
             [node]\nname = \"n{number}\"\n"
        );
        let config = directory.join(format!("n{number}.toml"));
        std::fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
        let output = directory.join(format!("n{number}.log"));
        let log = std::fs::File::create(&output)?;
        let mut command = command(&std::env::current_exe()?);
        command.args(["serve", "--config"]).arg(&config).stdout(Stdio::null()).stderr(log);
        let child = spawn(command).context("starting a node")?;
        Ok(Self { child, number, admin, output })
    }

    fn is_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let said = std::fs::read_to_string(&self.output).unwrap_or_default();
                bail!("node {} ended, {status}: {}", self.number, said.trim_end())
            }
        }
    }

    /// Whether its sums reflect everything up to `ends`, if it is asked of its role.
    async fn has_sums(&mut self, ends: &[Position], is_asked: impl Fn(&str) -> bool) -> anyhow::Result<bool> {
        self.is_running()?;
        let url = format!("http://{}/admin/nodes", self.admin);
        let asked = actix_web::rt::task::spawn_blocking(move || {
            ureq::get(url).call().and_then(|mut answer| answer.body_mut().read_to_string())
        });
        let Ok(answer) = asked.await? else { return Ok(false) };
        let answer: Value = serde_json::from_str(&answer).context("what a node says of itself")?;
        if !is_asked(answer["sums"]["role"].as_str().unwrap_or_default()) {
            return Ok(true);
        }
        let known = answer["sums"]["positions"].as_array().context("a node says how far its sums are")?;
        let known = known.iter().map(|position| position.as_u64().unwrap_or_default());
        Ok(known.zip(ends).all(|(known, end)| Position(known) >= *end))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}
