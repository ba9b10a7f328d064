//! What is chosen for the ranking is chosen by one node, taken over by all others, and still there after a restart.

use crate::bed::{Bed, DEADLINE, audience_events, eventually, run};
use nearline_actors::{Engine, EngineSettings};
use nearline_model::control::ownership::SumsRole;
use nearline_ranking::associations::Weighing;
use nearline_ranking::tuning::Tuning;
use std::time::{Duration, Instant};

/// Enough that weights are chosen.
const EVENTS: usize = 24_000;
const MEMBERS: usize = 2_000;

fn named(node: &str) -> EngineSettings {
    EngineSettings {
        node: node.into(),
        lease_ms: 1_000,
        snapshot_interval_ms: 100,
        adding_nodes: 1,
        ..EngineSettings::default()
    }
}

fn tuning(engine: &Engine) -> Tuning {
    engine.learned().tuning.clone()
}

async fn stored(bed: &Bed) -> Option<Tuning> {
    let stored = bed.ports.store.load_tuning().await.expect("asked");
    stored.and_then(|bytes| Tuning::decode(&bytes).ok())
}

async fn until_stored(bed: &Bed, is_wanted: impl Fn(&Tuning) -> bool) -> Tuning {
    let looking = async {
        loop {
            if let Some(tuning) = stored(bed).await.filter(&is_wanted) {
                return tuning;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(2 * DEADLINE, looking).await.expect("it is stored")
}

/// What nobody chooses by itself.
const OTHER: Weighing = Weighing { regularisation: 320.0, direct_share: 1.0 };

async fn store_other(bed: &Bed, chosen: &Tuning) {
    let mut other = chosen.clone();
    other.weighing = OTHER;
    bed.ports.store.save_tuning(other.encode().into()).await.expect("stored");
}

async fn a_restart_goes_on_from_what_was_chosen(bed: Bed) {
    let engine = bed.engine(named("a")).await;
    bed.append(audience_events(EVENTS, MEMBERS, 51)).await;
    engine.caught_up().await.expect("caught up");
    until_stored(&bed, |tuning| !tuning.groups.is_empty()).await;
    bed.ports.store.save_tuning("no tuning".into()).await.expect("stored");
    let chosen = until_stored(&bed, |tuning| !tuning.groups.is_empty()).await;
    assert_ne!(chosen.weighing, OTHER, "nobody chose it");
    engine.stop().await;

    store_other(&bed, &chosen).await;
    let engine = bed.engine(named("a")).await;
    eventually("what was stored is taken over", || tuning(&engine).weighing == OTHER).await;
    engine.stop().await;

    bed.ports.store.save_tuning("no tuning".into()).await.expect("stored");
    let engine = bed.engine(named("a")).await;
    until_stored(&bed, |tuning| !tuning.groups.is_empty()).await;
    engine.stop().await;
}

#[test]
fn a_restart_goes_on_from_what_was_chosen_embedded() {
    run(async { a_restart_goes_on_from_what_was_chosen(Bed::embedded()).await });
}

#[test]
fn a_restart_goes_on_from_what_was_chosen_nats_and_redis() {
    run(async { a_restart_goes_on_from_what_was_chosen(Bed::cluster().await).await });
}

#[test]
fn one_node_chooses_and_all_others_take_it_over() {
    run(async {
        let bed = Bed::cluster_with(12).await;
        let mut engines = Vec::new();
        for node in ["a", "b", "c"] {
            engines.push(bed.engine(named(node)).await);
        }
        let keepers =
            || engines.iter().filter(|engine| engine.node_status().sums_role == SumsRole::Keeps).count();
        eventually("one keeps the sums", || keepers() == 1).await;
        bed.append(audience_events(EVENTS, MEMBERS, 52)).await;
        let chosen = until_stored(&bed, |tuning| !tuning.groups.is_empty()).await;
        let all = |holds: fn(&Tuning) -> bool| engines.iter().all(|engine| holds(&tuning(engine)));
        eventually("all have what one chose", || all(|tuning| !tuning.groups.is_empty())).await;
        let started = Instant::now();
        while !all(|tuning| tuning.weighing == OTHER) {
            assert!(started.elapsed() < DEADLINE, "not all take over what is stored");
            // It may be chosen anew meanwhile.
            if stored(&bed).await.is_none_or(|tuning| tuning.weighing != OTHER) {
                store_other(&bed, &chosen).await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for engine in engines {
            engine.stop().await;
        }
    });
}
