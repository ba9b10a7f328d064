//! What is chosen for the ranking is chosen by one node, taken over by all others, and still there after a restart.

use crate::bed::{Bed, audience_events, eventually, run};
use nearline_actors::{Engine, EngineSettings};
use nearline_model::control::ownership::SumsRole;
use nearline_ranking::associations::Weighing;
use nearline_ranking::tuning::Tuning;

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

fn keeps(engine: &Engine) -> bool {
    engine.node_status().sums_role == SumsRole::Keeps
}

fn keeper(engines: &[Engine]) -> &Engine {
    engines.iter().find(|engine| keeps(engine)).expect("one keeps the sums")
}

async fn all_caught_up(engines: &[Engine]) {
    for engine in engines {
        engine.caught_up().await.expect("caught up");
    }
}

async fn stored(bed: &Bed) -> Option<Tuning> {
    let stored = bed.ports.store.load_tuning().await.expect("asked");
    stored.and_then(|bytes| Tuning::decode(&bytes).ok())
}

/// What is stored when no plays are left that it may be chosen anew for.
async fn until_chosen(bed: &Bed, engine: &Engine) -> Tuning {
    let plays = engine.aggregates().read().all_plays().iter().sum::<u64>() as f64;
    let chosen = async {
        loop {
            let tuning = stored(bed).await.unwrap_or_default();
            let of_plays = serde_json::to_value(&tuning).expect("JSON")["plays"].as_f64().expect("a number");
            if !tuning.groups.is_empty() && plays < of_plays * 1.05 {
                return tuning;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::bed::DEADLINE, chosen).await.expect("it is chosen")
}

/// What the engine would not choose by itself, and has no reason to choose anew.
async fn store_another(bed: &Bed, chosen: &Tuning) -> Tuning {
    let other = Weighing { regularisation: 320.0, direct_share: 1.0 };
    assert_ne!(chosen.weighing, other, "nobody chose it");
    let mut another = chosen.clone();
    another.weighing = other;
    bed.ports.store.save_tuning(another.encode().into()).await.expect("stored");
    stored(bed).await.expect("it is stored")
}

async fn a_restart_goes_on_from_what_was_chosen(bed: Bed) {
    let engine = bed.engine(named("a")).await;
    bed.append(audience_events(EVENTS, MEMBERS, 51)).await;
    engine.caught_up().await.expect("caught up");
    let chosen = until_chosen(&bed, &engine).await;
    eventually("answers are given by it", || tuning(&engine) == chosen).await;
    bed.ports.store.save_tuning("no tuning".into()).await.expect("stored");
    assert_eq!(until_chosen(&bed, &engine).await, chosen, "it is stored again");
    engine.stop().await;

    let another = store_another(&bed, &chosen).await;
    let engine = bed.engine(named("a")).await;
    eventually("what was stored is taken over", || tuning(&engine) == another).await;
    engine.stop().await;

    bed.ports.store.save_tuning("no tuning".into()).await.expect("stored");
    let engine = bed.engine(named("a")).await;
    eventually("what is damaged is chosen anew", || !tuning(&engine).groups.is_empty()).await;
    let anew = until_chosen(&bed, &engine).await;
    assert_ne!(anew.weighing, another.weighing);
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
fn one_node_chooses_and_another_does_when_it_goes() {
    run(async {
        let bed = Bed::cluster_with(12).await;
        let mut engines = Vec::new();
        for node in ["a", "b", "c"] {
            engines.push(bed.engine(named(node)).await);
        }
        let one_keeps = |engines: &[Engine]| engines.iter().filter(|engine| keeps(engine)).count() == 1;
        eventually("one keeps the sums", || one_keeps(&engines)).await;
        bed.append(audience_events(EVENTS, MEMBERS, 52)).await;
        let all_have =
            |engines: &[Engine], chosen: &Tuning| engines.iter().all(|engine| tuning(engine) == *chosen);
        all_caught_up(&engines).await;
        let chosen = until_chosen(&bed, keeper(&engines)).await;
        eventually("all take over what one chose", || all_have(&engines, &chosen)).await;
        let another = store_another(&bed, &chosen).await;
        eventually("all take over what is stored", || all_have(&engines, &another)).await;

        let at = engines.iter().position(keeps).expect("one keeps the sums");
        engines.remove(at).stop().await;
        eventually("another keeps the sums", || one_keeps(&engines)).await;
        bed.append(audience_events(EVENTS, MEMBERS, 53)).await;
        all_caught_up(&engines).await;
        let anew = until_chosen(&bed, keeper(&engines)).await;
        eventually("the next to keep the sums chooses for all", || all_have(&engines, &anew)).await;
        for engine in engines {
            engine.stop().await;
        }
    });
}
