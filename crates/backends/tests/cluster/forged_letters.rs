//! What anybody may put onto the stream of dead letters hides none of those that are there.

use crate::{settings, stock_client};
use bytes::Bytes;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_ports::dead_letters::UNREADABLE;
use nearline_ports::{DeadLetter, DeadLetters, PortError};
use nearline_servers::NatsServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_letter_is_listed_as_one_and_hides_no_other() {
    let nats = NatsServer::start(None).expect("a NATS server");
    let letters = nearline_backends::nats::connect(settings(&nats)).await.expect("connected").dead_letters;
    let letter = |position| DeadLetter {
        partition: PartitionId(1),
        position,
        log_ms: 1_700_000_000_000,
        reason: "poison".into(),
        detail: "it kills".into(),
        payload: Bytes::from_static(b"{}"),
    };
    letters.put(vec![letter(Position(3)), letter(Position(9))]).await.expect("put");
    let client = stock_client(&nats).await;
    let forge = |subject: &'static str, headers: Vec<(&'static str, &'static str)>| {
        let client = client.clone();
        async move {
            let mut map = async_nats::HeaderMap::new();
            headers.into_iter().for_each(|(name, value)| map.insert(name, value));
            let published =
                client.publish_with_headers(subject, map, "junk".into()).await.expect("published");
            published.await.expect("acknowledged");
        }
    };
    forge("nearline.deadletters.1.5", vec![]).await;
    forge("nearline.deadletters.1.6", vec![("Nearline-Reason", "x"), ("Nearline-Detail", "no JSON")]).await;
    forge("nearline.deadletters.2.7", vec![("Nearline-Log-Ms", "soon")]).await;
    forge("nearline.deadletters.x.y", vec![]).await;
    forge("nearline.deadletters.redrives.3", vec![]).await;
    let listed = letters.list(Position::START, 100).await.expect("listed");
    let seen: Vec<(u64, &str)> = listed.iter().map(|letter| (letter.position.0, &*letter.reason)).collect();
    assert_eq!(seen, [(3, "poison"), (5, UNREADABLE), (6, UNREADABLE), (7, UNREADABLE), (9, "poison")]);
    assert_eq!(listed[1].payload, "junk".as_bytes(), "what it holds is shown");
    let found = letters.get(Position(6)).await.expect("read").expect("there");
    assert_eq!(found.reason, UNREADABLE);
    // Publishing again must not guess what came of it before.
    assert!(matches!(letters.redrive(Position(3)).await, Err(PortError::Damaged { .. })));
    letters.remove(Position(6)).await.expect("dropped");
    assert_eq!(letters.list(Position::START, 100).await.expect("listed").len(), 4);
}
