//! Carries a plan out, from the first server to the report.

use super::ChaosError;
use super::balancer::Balancer;
use super::bed::{Bed, Program};
use super::inject::{Injection, Injector};
use super::judge::judge;
use super::monitor::Monitor;
use super::plan::Plan;
use super::prober::Prober;
use super::publish::{Ending, publish_http, publish_nats};
use super::query::{Queries, QuerySample};
use super::report::{Observed, Report};
use super::seconds::Seconds;
use super::workload::{Workload, now_ms};
use nearline_audience::dice::Dice;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// How long engines may take until they answer live at first.
const FIRST_ANSWERS: Duration = Duration::from_secs(60);

/// What somebody who watches a run hears.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What happened.
    pub text: &'a str,
    /// Injections done, and all of them.
    pub done: usize,
    /// All injections of the plan.
    pub of: usize,
}

/// Runs a plan; `tell` hears what happens. Blocks.
///
/// # Errors
/// Where the plan cannot be carried out or judged; broken invariants are in the report.
pub fn run(plan: &Plan, program: &Program, tell: &(dyn Fn(Told<'_>) + Sync)) -> Result<Report, ChaosError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ChaosError::system("a runtime for proxies and clients"))?;
    let of = plan.injections().len();
    tell(Told { text: "starting servers and engines", done: 0, of });
    let bed = Bed::make(plan, program, runtime.handle())?;
    wait_for_answers(&bed)?;
    let (started, started_ms) = (Instant::now(), now_ms());
    let workload = Arc::new(Workload::new(&plan.load, plan.seed, started));
    let clients = Clients::start(plan, &bed, &workload, started, &runtime);
    let monitor = Monitor::default();
    let prober = &*clients.prober;
    let injector = Injector { plan, bed: &bed, monitor: &monitor, prober, workload: &workload, started };
    let broken = std::thread::scope(|scope| {
        for publisher in 0..plan.load.http_publishers {
            let (bed, workload, ending) = (&bed, &workload, &clients.ending);
            let dice = Dice::new(plan.seed).fork(200 + publisher as u64);
            let events_per_s = Clients::events_per_s_each(plan);
            scope.spawn(move || publish_http(bed, workload, events_per_s, dice, ending));
        }
        for engine in &bed.engines {
            let monitor = &monitor;
            scope.spawn(move || monitor.watch(engine));
        }
        let broken = break_things(&injector, Dice::new(plan.seed).fork(400), tell);
        std::thread::sleep(Duration::from_millis(plan.pace.settle_ms));
        clients.queries.stop.store(true, Relaxed);
        prober.stop.store(true, Relaxed);
        monitor.stop.store(true, Relaxed);
        clients.ending.ask();
        broken
    });
    let duration = started.elapsed();
    let (injections, skipped) = broken?;
    let samples = clients.end(&runtime)?;
    tell(Told { text: "judging", done: of, of });
    let seconds = Seconds::new(plan, duration, &samples, &workload.acknowledged_by_second());
    let verdict = judge(plan, &bed, program, &workload, runtime.handle())?;
    let observed = Observed {
        started_ms,
        duration,
        unacknowledged: workload.given_up(),
        samples,
        seconds,
        injections,
        skipped,
        engine_exits: monitor.exits(),
    };
    let report = Report::new(plan, verdict, observed);
    if !report.held() {
        let kept = bed.keep();
        tell(Told { text: &format!("log lines of the engines are in {}", kept.display()), done: of, of });
    }
    Ok(report)
}

/// Clients that run beside everything else.
struct Clients {
    queries: Arc<Queries>,
    prober: Arc<Prober>,
    ending: Arc<Ending>,
    over_nats: Vec<JoinHandle<Result<(), ChaosError>>>,
    asking: Vec<JoinHandle<()>>,
}

impl Clients {
    fn events_per_s_each(plan: &Plan) -> f64 {
        plan.load.events_per_s as f64 / (plan.load.http_publishers + plan.load.nats_publishers) as f64
    }

    fn start(plan: &Plan, bed: &Bed, workload: &Arc<Workload>, started: Instant, runtime: &Runtime) -> Self {
        let (load, dice) = (&plan.load, Dice::new(plan.seed));
        let balancer = Arc::new(Balancer::new(&bed.engines));
        let queries = Arc::new(Queries::new(started, load.queries_per_s, load.hedge_ms));
        let every = Duration::from_millis(plan.pace.probe_every_ms);
        let prober = Arc::new(Prober::new(started, plan.partitions, every));
        let ending = Arc::new(Ending::default());
        let (mut over_nats, mut asking) = (Vec::new(), Vec::new());
        for publisher in 0..load.nats_publishers {
            let Some(url) = bed.nats_url.clone() else { continue };
            let (workload, ending, dice) =
                (workload.clone(), ending.clone(), dice.fork(100 + publisher as u64));
            let each = Self::events_per_s_each(plan);
            over_nats.push(runtime.spawn(publish_nats(url, workload, each, plan.clone(), dice, ending)));
        }
        for client in 0..load.query_clients {
            let (queries, balancer, workload) = (queries.clone(), balancer.clone(), workload.clone());
            let dice = dice.fork(300 + client as u64);
            asking.push(runtime.spawn(async move { queries.ask(&balancer, &workload, dice).await }));
        }
        for partition in 0..plan.partitions {
            let (prober, balancer) = (prober.clone(), balancer.clone());
            asking.push(runtime.spawn(async move { prober.probe(&balancer, partition).await }));
        }
        Self { queries, prober, ending, over_nats, asking }
    }

    /// Waits for the end of all; every query.
    fn end(self, runtime: &Runtime) -> Result<Vec<QuerySample>, ChaosError> {
        let ended = |name: &str| ChaosError::Engine(format!("a {name} ended in a panic"));
        for publisher in self.over_nats {
            runtime.block_on(publisher).map_err(|_| ended("publisher"))??;
        }
        for client in self.asking {
            runtime.block_on(client).map_err(|_| ended("query client"))?;
        }
        Ok(self.queries.take())
    }
}

fn break_things(
    injector: &Injector<'_>,
    mut dice: Dice,
    tell: &(dyn Fn(Told<'_>) + Sync),
) -> Result<(Vec<Injection>, Vec<String>), ChaosError> {
    let plan = injector.plan;
    let (mut done, mut skipped) = (Vec::new(), Vec::new());
    std::thread::sleep(Duration::from_millis(plan.pace.warm_up_ms));
    let order = plan.injections();
    let of = order.len();
    for (at, fault) in order.iter().enumerate() {
        if let Some(obstacle) = injector.obstacle(fault) {
            if !skipped.contains(&obstacle) {
                tell(Told { text: &format!("not injected: {obstacle}"), done: at, of });
                skipped.push(obstacle);
            }
            continue;
        }
        let injection = injector.inject(fault, &mut dice)?;
        tell(Told { text: &format!("{}/{of} {}", at + 1, injection.line()), done: at + 1, of });
        done.push(injection);
        std::thread::sleep(Duration::from_millis(plan.pace.settle_ms));
    }
    Ok((done, skipped))
}

fn wait_for_answers(bed: &Bed) -> Result<(), ChaosError> {
    let agent = super::agent::agent(Duration::from_secs(2));
    let started = Instant::now();
    for engine in bed.running() {
        let node = &engine.http;
        let url = format!("{node}/v1/members/m1/recommendations?limit=1");
        loop {
            let live = agent.get(&url).call().is_ok_and(|mut answer| {
                answer.body_mut().read_to_string().is_ok_and(|text| text.contains(r#""source":"live""#))
            });
            if live {
                break;
            }
            if started.elapsed() > FIRST_ANSWERS {
                return Err(ChaosError::Engine(format!("{node} gives no live answer; is it running?")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}
