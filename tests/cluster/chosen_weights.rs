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

async fn stored(bed: &Bed) -> Option<Tuning> {
    let stored = bed.ports.store.load_tuning().await.expect("asked");
    stored.map(|bytes| Tuning::decode(&bytes).expect("of this program"))
}

async fn until_stored(bed: &Bed, is_wanted: impl Fn(&Tuning) -> bool) -> Tuning {
    let looking = async {
        loop {
            if let Some(tuning) = stored(bed).await.filter(&is_wanted) {
                return tuning;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::bed::DEADLINE, looking).await.expect("it is stored")
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
    let caught_up = engine.caught_up().await;
    caught_up.expect("caught up");
    let chosen = until_stored(&bed, |tuning| !tuning.groups.is_empty()).await;
    engine.stop().await;

    let another = store_another(&bed, &chosen).await;
    let engine = bed.engine(named("a")).await;
    eventually("what was stored is taken over", || tuning(&engine) == another).await;
    engine.stop().await;

    bed.ports.store.save_tuning("no tuning".into()).await.expect("stored");
    let engine = bed.engine(named("a")).await;
    eventually("what is damaged is chosen anew", || !tuning(&engine).groups.is_empty()).await;
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
        let chosen = until_stored(&bed, |tuning| !tuning.groups.is_empty()).await;
        eventually("all others take over what one chose", || {
            engines.iter().all(|engine| tuning(engine) == chosen)
        })
        .await;

        let another = store_another(&bed, &chosen).await;
        eventually("others choose nothing by themselves", || {
            engines
                .iter()
                .all(|engine| tuning(engine) == if keeps(engine) { &chosen } else { &another }.clone())
        })
        .await;
        let keeper = engines.iter().position(keeps).expect("one keeps the sums");
        engines.remove(keeper).stop().await;
        eventually("another keeps the sums", || one_keeps(&engines)).await;
        bed.append(audience_events(EVENTS, MEMBERS, 53)).await;
        let anew = until_stored(&bed, |tuning| tuning.groups != another.groups).await;
        eventually("the next to keep the sums chooses", || {
            engines.iter().all(|engine| tuning(engine) == anew)
        })
        .await;
        for engine in engines {
            engine.stop().await;
        }
    });
}
