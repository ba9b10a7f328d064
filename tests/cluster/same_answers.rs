//! The same events give the same answers, byte for byte, whatever they are kept in.

use crate::bed::{Bed, audience_events, run};
use nearline_actors::{Engine, EngineSettings};
use nearline_model::catalogue::Catalogue;
use nearline_ports::NewEvent;
use nearline_ranking::trending::{TrendQuery, trending};
use nearline_ranking::{Learned, Query, rank, similar};

/// What is asked of both, as JSON.
async fn answers(engine: &Engine) -> Vec<String> {
    let mut answers = Vec::new();
    // What the sums give rise to is worked out anew: when a running engine last did so differs.
    let catalogue = Catalogue::default();
    let learned = Learned::of(&engine.aggregates().read(), &catalogue, 200);
    for member in (0..120).map(|number| format!("m{number}")) {
        let answer = engine.member(&member, true, None).await.expect("no position was asked for");
        let aggregates = engine.aggregates().read();
        for country in [None, Some("US"), Some("BR")] {
            let query =
                Query { limit: 20, country, explain: true, learned: Some(&learned), ..Query::default() };
            let ranked = rank(&aggregates, &catalogue, answer.snapshot.as_ref(), &query);
            answers.push(format!("{member} {country:?} {}", serde_json::to_string(&ranked).expect("JSON")));
        }
        let mut snapshot = answer.snapshot.expect("the member's own state");
        // How long ids are remembered goes by the log's clock, which differs.
        snapshot.recent_ids = 0;
        answers.push(serde_json::to_string(&snapshot).expect("JSON"));
    }
    let aggregates = engine.aggregates().read();
    let query = Query { learned: Some(&learned), ..Query::default() };
    for number in 0..50 {
        let query = Query { limit: 20, ..query.clone() };
        let ranked = similar(&aggregates, &catalogue, &format!("t{number}"), &query);
        answers.push(serde_json::to_string(&ranked).expect("JSON"));
    }
    for dimension in ["all", "country:US", "device:tv"] {
        let query = TrendQuery { dimensions: &[dimension], limit: 20, ..TrendQuery::default() };
        let ranked = trending(&aggregates, &catalogue, &query);
        answers.push(serde_json::to_string(&ranked).expect("JSON"));
    }
    answers
}

async fn fold_and_ask(bed: &Bed, events: &[NewEvent], settings: EngineSettings) -> (Vec<u8>, Vec<String>) {
    let engine = bed.engine(settings.clone()).await;
    bed.append(events.to_vec()).await;
    engine.caught_up().await.expect("caught up");
    engine.stop().await;
    // Asked after a restart, so that everything came through the store once.
    let engine = bed.engine(settings).await;
    engine.caught_up().await.expect("caught up");
    let contents = engine.aggregates().read().encode_contents();
    let answers = answers(&engine).await;
    engine.stop().await;
    (contents, answers)
}

#[test]
fn embedded_and_nats_with_redis_give_the_same_answers_byte_for_byte() {
    run(async {
        let events = audience_events(10_000, 120, 31);
        let (embedded, cluster) = (Bed::embedded(), Bed::cluster().await);
        let often = EngineSettings { commit_events: 50, batch_events: 32, ..EngineSettings::default() };
        let (sums, answered) = fold_and_ask(&embedded, &events, often).await;
        let (cluster_sums, cluster_answered) =
            fold_and_ask(&cluster, &events, EngineSettings::default()).await;
        assert!(sums == cluster_sums, "the aggregates differ");
        assert!(answered.iter().any(|answer| answer.contains("because_you_watched")));
        for (embedded, cluster) in answered.iter().zip(&cluster_answered) {
            assert_eq!(embedded, cluster);
        }
        assert_eq!(answered.len(), cluster_answered.len());
    });
}
