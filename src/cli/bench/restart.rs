//! `bench restart`: from a panic in the fold to live answers from the rebuilt actor.

use super::report::Report;
use super::{Backend, Bed, workload};
use clap::Args;
use hdrhistogram::Histogram;
use nearline_actors::{Engine, EngineSettings, Source};
use nearline_model::control::remediation::RemediationSettings;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Instant;

/// Size of the benchmark.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Which backend.
    #[arg(long, value_enum, default_value_t = Backend::Embedded)]
    backend: Backend,
    /// Panics injected.
    #[arg(long, default_value_t = 100)]
    injections: u64,
    /// Members with state before the first panic.
    #[arg(long, default_value_t = 100_000)]
    members: usize,
    /// Events folded before the first panic.
    #[arg(long, default_value_t = 300_000)]
    events: usize,
    /// Partitions.
    #[arg(long, default_value_t = 16)]
    partitions: u16,
}

pub async fn run(args: &RestartArgs) -> anyhow::Result<Report> {
    let bed = Bed::make(args.backend, args.partitions).await?;
    // The probe panics at the first event of the armed number's title, once.
    let (armed, panicked_us) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let origin = Instant::now();
    let probe = {
        let (armed, panicked_us) = (armed.clone(), panicked_us.clone());
        Arc::new(move |_, _, event: Option<&nearline_model::Event<'_>>| {
            let is_bait = event.is_some_and(|event| event.id.starts_with("bait-"));
            if is_bait && armed.swap(0, SeqCst) == 1 {
                panicked_us.store(origin.elapsed().as_micros() as u64, SeqCst);
                panic!("injected by the benchmark");
            }
        })
    };
    // A hundred panics a minute are what is measured here, not a node in trouble.
    let remediation = RemediationSettings {
        restart_backoff_max_ms: 10,
        node_rebuilds: usize::MAX,
        ..RemediationSettings::default()
    };
    let settings = EngineSettings { fault_probe: Some(probe), remediation, ..EngineSettings::default() };
    let engine = Engine::start(bed.ports.clone(), settings).await?;
    let events = workload::events(args.events, args.members, 10_000, 1);
    let members: Vec<String> = events.iter().map(|event| event.member.clone()).collect();
    workload::fill(&*bed.ports.log, &events, 16).await?;
    engine.caught_up().await?;
    drop(events);
    std::panic::set_hook(Box::new(|_| {}));
    let mut live_us = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?;
    for injection in 0..args.injections {
        let member = &members[(injection as usize * 7_919) % members.len()];
        armed.store(1, SeqCst);
        let at = nearline_model::timestamp::format_rfc3339(workload::now_ms());
        let payload = format!(
            r#"{{"id":"bait-{injection}","type":"play","member":"{member}","title":"t1","at":"{at}"}}"#
        );
        let event = nearline_ports::NewEvent {
            member: member.clone(),
            id: format!("bait-{injection}"),
            payload: payload.into(),
        };
        let appended = bed.ports.log.append(vec![event]).await.remove(0)?;
        loop {
            // Live at the event's position: the actor was rebuilt, and the event replayed.
            let answer = engine.member(member, false, Some(appended.position)).await;
            if answer.is_ok_and(|answer| answer.source == Source::Live) {
                break;
            }
            anyhow::ensure!(origin.elapsed().as_secs() < 600, "no live answer after injection {injection}");
        }
        anyhow::ensure!(armed.load(SeqCst) == 0, "injection {injection} did not reach the fold");
        live_us.saturating_record(origin.elapsed().as_micros() as u64 - panicked_us.load(SeqCst));
    }
    let _hook = std::panic::take_hook();
    let restarts: u64 = engine.partitions().iter().map(|partition| partition.restarts).sum();
    engine.stop().await;
    anyhow::ensure!(restarts >= args.injections, "{restarts} restarts for {} panics", args.injections);
    Ok(Report::new("restart", args.backend.name(), "p99 ≤ 100 ms plus replay")
        .figure("p50_ms", live_us.value_at_quantile(0.5) as f64 / 1_000.0)
        .figure("p99_ms", live_us.value_at_quantile(0.99) as f64 / 1_000.0)
        .figure("max_ms", live_us.max() as f64 / 1_000.0)
        .figure("injections", args.injections as f64)
        .figure("members", args.members as f64))
}
