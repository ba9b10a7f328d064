//! `nearline demo`: the engine beside a simulated audience, and what changes while it watches.

mod display;
mod experiment;
mod figures;
mod watcher;

use super::serve::{Service, stop_requested, until_closed};
use anyhow::Context;
use clap::Args;
use display::Display;
use figures::Figures;
use nearline_actors::Engine;
use nearline_audience::{Audience, AudienceSettings, GeneratedEvent};
use nearline_backends::embedded::DirectoryWatch;
use nearline_config::{BackendKind, Config};
use nearline_model::{EventKind, PartitionId};
use nearline_ports::NewEvent;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use watcher::Watcher;

/// Time between batches of events.
const TICK: Duration = Duration::from_millis(50);
/// Members active at the same time: few, so that the followed one does something every second.
const ACTIVE_MEMBERS: usize = 40;
/// Plays of one tick before which the recommendations are asked, and members who are shown some.
const ASKED_PER_TICK: usize = 20;
/// Event time over which the events before the start are spread.
const WARM_UP_MS: i64 = 6 * 3_600_000;
const WARM_UP_BATCH: usize = 1_000;
/// How long everything published may take to be folded at the end.
const SETTLE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nearline demo                        until Ctrl-C
  nearline demo --seconds 30           stops by itself with a summary
  nearline demo --data demo-data       keeps its data: run it again and it goes on")]
pub(super) struct DemoArgs {
    /// Stop after this many seconds.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Keep the data in this directory; without it, a temporary one is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Simulated members.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    members: u32,
    /// Titles of the catalogue.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    titles: u32,
    /// Events per second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Events of the past hours, published before the show begins.
    #[arg(long, default_value_t = 20_000)]
    warm_up: u64,
    /// Decides what the audience is like and what it does.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Port of the API on 127.0.0.1, the console on the next one; 0: any free ones.
    #[arg(long, default_value_t = 7_700, value_parser = clap::value_parser!(u16).range(..=65_534))]
    port: u16,
}

pub(super) async fn run(args: DemoArgs, mut config: Config) -> anyhow::Result<()> {
    let stop = actix_rt::spawn(stop_requested());
    let temporary = match args.data {
        Some(_) => None,
        None => {
            let made = tempfile::Builder::new().prefix("nearline-demo-").tempdir();
            Some(made.context("a temporary directory cannot be made; give one with --data")?)
        }
    };
    let directory =
        temporary.as_ref().map(|made| made.path().to_owned()).or(args.data.clone()).unwrap_or_default();
    configure(&mut config, &args, &directory.to_string_lossy());
    let watch = DirectoryWatch::default();
    let service = Service::start(&config, watch.clone()).await?;
    // An error must not keep the engine from committing.
    let shown = show(&args, &service, stop).await;
    if service.stop("the demo's end").await {
        until_closed(&watch).await;
    }
    drop(temporary);
    let summary = shown?;
    println!("{summary}");
    Ok(())
}

fn configure(config: &mut Config, args: &DemoArgs, directory: &str) {
    config.backend.kind = BackendKind::Embedded;
    config.embedded.directory = directory.to_owned();
    config.http.address = format!("127.0.0.1:{}", args.port);
    let admin = if args.port == 0 { 0 } else { args.port + 1 };
    config.admin.address = format!("127.0.0.1:{admin}");
    // On loopback: to be broken from its own console.
    config.chaos.enabled = true;
    experiment::add(config);
    if config.log.level == Config::default().log.level {
        // The screen belongs to the summary.
        config.log.level = "warn".to_owned();
    }
}

type Stop = tokio::task::JoinHandle<anyhow::Result<&'static str>>;

async fn show(args: &DemoArgs, service: &Service, mut stop: Stop) -> anyhow::Result<comfy_table::Table> {
    let engine = &service.engine;
    let started_ms = super::now_ms();
    let is_new = is_empty(engine).await?;
    let mut audience = Audience::new(AudienceSettings {
        seed: args.seed,
        members: args.members as usize,
        titles: args.titles as usize,
        active_members: ACTIVE_MEMBERS,
        followed: Some(0),
        // A run into the same directory needs other ids than the one before, and an audience that goes on: one
        // that did the same again would play nothing that it has not seen.
        id_prefix: format!("demo{started_ms:x}"),
        run: if is_new { 0 } else { started_ms.unsigned_abs() },
        ..AudienceSettings::default()
    });
    engine.ports().catalogue.put(audience.titles()).await.context("the catalogue was not stored")?;
    let mut figures = Figures::default();
    for batch in warm_up(&mut audience, args.warm_up, started_ms) {
        append(engine, batch, &mut figures).await?;
    }
    engine.caught_up().await?;

    let mut watcher = Watcher::new(Audience::member_id(0));
    watcher.begin(engine).await;
    let display = Display::new();
    display.introduce(service, watcher.member());
    figures.start();
    let started = Instant::now();
    let end = args.seconds.map(|seconds| started + Duration::from_secs(seconds));
    let (mut generated, mut ticks) = (0_u64, tokio::time::interval(TICK));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    while end.is_none_or(|end| Instant::now() < end) {
        tokio::select! {
            _ = &mut stop => break,
            _ = ticks.tick() => {}
        }
        let due = (started.elapsed().as_secs_f64() * f64::from(args.rate)) as u64;
        let now_ms = super::now_ms();
        let count = due.saturating_sub(generated).min(u64::from(args.rate));
        let batch = next_events(engine, &mut audience, count, now_ms).await;
        generated = due;
        // What was recommended is played for that: it would count as foreseen.
        let plays = batch.iter().filter(|event| event.kind == EventKind::Play && !event.recommended);
        for play in plays.take(ASKED_PER_TICK) {
            figures.ask_before_play(engine, play).await;
        }
        let followed = batch.iter().rfind(|e| e.member == watcher.member() && e.kind == EventKind::Play);
        let followed = followed.map(|event| event.title.clone());
        append(engine, batch, &mut figures).await?;
        if let Some(title) = followed {
            watcher.watched(engine, title, figures.last_position_of_followed()).await;
        }
        display.refresh(engine, &figures, &watcher, &audience);
    }
    let measured = started.elapsed();
    tokio::time::timeout(SETTLE, engine.caught_up())
        .await
        .context("the engine did not catch up at the end")??;
    display.close();
    Ok(figures.summary(engine, measured))
}

/// The next events; whoever begins to look around is shown what the engine recommends.
async fn next_events(
    engine: &Engine,
    audience: &mut Audience,
    count: u64,
    now_ms: i64,
) -> Vec<GeneratedEvent> {
    let mut events = Vec::with_capacity(count as usize);
    let mut shown = 0;
    for _ in 0..count {
        if shown < ASKED_PER_TICK
            && let Some(member) = audience.arrives()
        {
            experiment::show(engine, audience, member).await;
            shown += 1;
        }
        events.push(audience.next_event(now_ms));
    }
    events
}

/// Whether nothing was ever published here.
async fn is_empty(engine: &Engine) -> anyhow::Result<bool> {
    let log = &engine.ports().log;
    for partition in 0..log.partitions() {
        if !log.bounds(PartitionId(partition)).await?.last.is_start() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Events of the past, the newest of now, in batches.
fn warm_up(audience: &mut Audience, events: u64, now_ms: i64) -> impl Iterator<Item = Vec<GeneratedEvent>> {
    let step =
        move |at: u64| now_ms - WARM_UP_MS + (WARM_UP_MS as f64 * at as f64 / events.max(1) as f64) as i64;
    (0..events).step_by(WARM_UP_BATCH).map(move |from| {
        let to = events.min(from + WARM_UP_BATCH as u64);
        (from..to).map(|at| audience.next_event(step(at))).collect()
    })
}

async fn append(engine: &Engine, batch: Vec<GeneratedEvent>, figures: &mut Figures) -> anyhow::Result<()> {
    let followed = Audience::member_id(0);
    let members: Vec<bool> = batch.iter().map(|event| event.member == followed).collect();
    let events: Vec<NewEvent> = batch.into_iter().map(NewEvent::from).collect();
    for (appended, is_followed) in engine.ports().log.append(events).await.into_iter().zip(members) {
        let appended = appended.context("an event was not acknowledged")?;
        figures.published(appended.position, is_followed);
    }
    Ok(())
}
