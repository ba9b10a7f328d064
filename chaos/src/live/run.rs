//! Carries a plan out, from the first server to the report.

use super::ChaosError;
use super::bed::{Bed, Program};
use super::inject::{Injection, Injector};
use super::judge::judge;
use super::monitor::Monitor;
use super::plan::Plan;
use super::publish::{Ending, publish_http, publish_nats};
use super::query::{Queries, QuerySample};
use super::report::Report;
use super::workload::Workload;
use crate::dice::Dice;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How long engines may take until they answer live at first.
const FIRST_ANSWERS: Duration = Duration::from_secs(60);

/// What a run leaves.
#[derive(Debug)]
pub struct Course {
    /// The figures.
    pub report: Report,
    /// Every query.
    pub samples: Vec<QuerySample>,
    /// Every injection.
    pub injections: Vec<Injection>,
}

/// Runs a plan; `tell` hears what happens. Blocks.
///
/// # Errors
/// Where the plan cannot be carried out or judged; broken invariants are in the report.
pub fn run(plan: &Plan, program: &Program, tell: &(dyn Fn(&str) + Sync)) -> Result<Course, ChaosError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ChaosError::system("a runtime for the proxies"))?;
    tell("starting servers and engines");
    let bed = Bed::make(plan, program, runtime.handle())?;
    let workload = Arc::new(Workload::new(&plan.load, plan.seed));
    let nodes: Vec<String> = bed.engines.iter().map(|engine| engine.http.clone()).collect();
    wait_for_answers(&nodes)?;
    let started = Instant::now();
    let (queries, monitor, ending) =
        (Queries::new(started, plan.load.queries_per_s), Monitor::default(), Arc::new(Ending::default()));
    let dice = Dice::new(plan.seed);
    let publishers = plan.load.http_publishers + plan.load.nats_publishers;
    let events_per_s = plan.load.events_per_s as f64 / publishers as f64;
    let mut over_nats = Vec::new();
    if let Some(url) = &bed.nats_url {
        for publisher in 0..plan.load.nats_publishers {
            let (workload, ending, dice) =
                (workload.clone(), ending.clone(), dice.fork(100 + publisher as u64));
            let publishing =
                publish_nats(url.clone(), workload, events_per_s, plan.load.bad_per_mille, dice, ending);
            over_nats.push(runtime.spawn(publishing));
        }
    }
    let injector = Injector { plan, bed: &bed, monitor: &monitor, workload: &workload, started };
    let broken = std::thread::scope(|scope| {
        for publisher in 0..plan.load.http_publishers {
            let (nodes, workload, ending) = (&nodes, &workload, &ending);
            let dice = dice.fork(200 + publisher as u64);
            scope.spawn(move || publish_http(nodes, workload, events_per_s, dice, ending));
        }
        for client in 0..plan.load.query_clients {
            let (nodes, workload, queries) = (&nodes, &workload, &queries);
            let dice = dice.fork(300 + client as u64);
            scope.spawn(move || queries.ask(nodes, workload, dice));
        }
        for engine in &bed.engines {
            let monitor = &monitor;
            scope.spawn(move || monitor.watch(&engine.admin));
        }
        let broken = break_things(&injector, dice.fork(400), tell);
        std::thread::sleep(Duration::from_millis(plan.pace.settle_ms));
        queries.stop.store(true, Relaxed);
        monitor.stop.store(true, Relaxed);
        ending.ask();
        broken
    });
    let (injections, skipped) = broken?;
    let duration = started.elapsed();
    for publisher in over_nats {
        if let Ok(outcome) = runtime.block_on(publisher) {
            outcome?;
        }
    }
    tell("judging");
    let verdict = judge(plan, &bed, program, &workload, runtime.handle())?;
    let samples = queries.take();
    let report = Report::new(plan, duration, verdict, workload.given_up(), &samples, &injections, skipped);
    Ok(Course { report, samples, injections })
}

fn break_things(
    injector: &Injector<'_>,
    mut dice: Dice,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<(Vec<Injection>, Vec<String>), ChaosError> {
    let plan = injector.plan;
    let (mut done, mut skipped) = (Vec::new(), Vec::new());
    std::thread::sleep(Duration::from_millis(plan.pace.warm_up_ms));
    let order = plan.injections();
    for (at, fault) in order.iter().enumerate() {
        if let Some(obstacle) = injector.obstacle(fault) {
            if !skipped.contains(&obstacle) {
                tell(&format!("not injected: {obstacle}"));
                skipped.push(obstacle);
            }
            continue;
        }
        let injection = injector.inject(fault, &mut dice)?;
        let recovered = match injection.recover_ms {
            Some(recover_ms) => format!("recovered after {recover_ms:.0} ms"),
            None => "NOT RECOVERED".to_owned(),
        };
        let noticed = injection.noticed.as_deref().unwrap_or("nothing noticed");
        tell(&format!("{}/{} {}: {noticed}; {recovered}", at + 1, order.len(), injection.label));
        done.push(injection);
        std::thread::sleep(Duration::from_millis(plan.pace.settle_ms));
    }
    Ok((done, skipped))
}

fn wait_for_answers(nodes: &[String]) -> Result<(), ChaosError> {
    let agent = super::publish::agent(Duration::from_secs(2));
    let started = Instant::now();
    for node in nodes {
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
