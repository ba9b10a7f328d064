//! What every `DeadLetters` promises.

use super::Fixture;
use crate::{DeadLetter, Redrive};
use bytes::Bytes;
use nearline_model::{PartitionId, Position};

fn letter(position: u64, detail: &str) -> DeadLetter {
    DeadLetter {
        partition: PartitionId((position % 4) as u16),
        position: Position(position),
        log_ms: 1_700_000_000_000 + position as i64,
        reason: "not_json".into(),
        detail: detail.into(),
        payload: Bytes::from_static(b"\0\xff not JSON"),
    }
}

pub async fn a_letter_put_twice_is_one(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    for _ in 0..2 {
        ports.dead_letters.put(vec![letter(3, "same"), letter(8, "same")]).await.expect("put");
    }
    let listed = ports.dead_letters.list(Position::START, 100).await.expect("listed");
    assert_eq!(listed, [letter(3, "same"), letter(8, "same")]);
    ports.dead_letters.put(Vec::new()).await.expect("nothing to put");
}

pub async fn letters_are_listed_by_position_with_a_limit(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(ports.dead_letters.list(Position::START, 10).await.expect("listed"), []);
    for positions in [[1_u64, 300], [2, 70_000], [255, 256]] {
        let letters = positions.iter().map(|&position| letter(position, "bad")).collect();
        ports.dead_letters.put(letters).await.expect("put");
    }
    let positions = async |after, limit| {
        let listed = ports.dead_letters.list(Position(after), limit).await.expect("listed");
        listed.into_iter().map(|letter| letter.position.0).collect::<Vec<_>>()
    };
    assert_eq!(positions(0, 100).await, [1, 2, 255, 256, 300, 70_000]);
    assert_eq!(positions(2, 2).await, [255, 256]);
    assert_eq!(positions(299, 10).await, [300, 70_000]);
    assert_eq!(positions(70_000, 10).await, [0_u64; 0]);
}

pub async fn letters_survive_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let letters: Vec<_> = (1..=50).map(|position| letter(position, "kept")).collect();
    ports.dead_letters.put(letters.clone()).await.expect("put");
    drop(ports);
    let ports = fixture.ports().await;
    assert_eq!(ports.dead_letters.list(Position::START, 100).await.expect("listed"), letters);
    assert_eq!(ports.dead_letters.list(Position(20), 3).await.expect("listed"), letters[20..23]);
}

pub async fn a_letter_is_found_by_position_and_gone_once_removed(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let letters = &ports.dead_letters;
    assert_eq!(letters.get(Position(7)).await.expect("read"), None);
    letters.put(vec![letter(7, "bad"), letter(77, "bad")]).await.expect("put");
    assert_eq!(letters.get(Position(7)).await.expect("read"), Some(letter(7, "bad")));
    let unfinished = Redrive { log_last: Position(80), position: None };
    letters.put_redrive(Position(7), unfinished).await.expect("put");
    letters.remove(Position(7)).await.expect("removed");
    assert_eq!(letters.get(Position(7)).await.expect("read"), None);
    assert_eq!(letters.redrive(Position(7)).await.expect("read"), None);
    assert_eq!(letters.list(Position::START, 10).await.expect("listed"), [letter(77, "bad")]);
    letters.remove(Position(7)).await.expect("removing what is not there is no failure");
}

pub async fn what_is_known_of_a_redrive_stays_though_the_letter_is_written_again(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    ports.dead_letters.put(vec![letter(7, "bad")]).await.expect("put");
    assert_eq!(ports.dead_letters.redrive(Position(7)).await.expect("read"), None);
    for redrive in [
        Redrive { log_last: Position(80), position: None },
        Redrive { log_last: Position(80), position: Some(Position(81)) },
    ] {
        ports.dead_letters.put_redrive(Position(7), redrive).await.expect("put");
        ports.dead_letters.put(vec![letter(7, "bad")]).await.expect("a replay writes it again");
        assert_eq!(ports.dead_letters.redrive(Position(7)).await.expect("read"), Some(redrive));
    }
    drop(ports);
    let ports = fixture.ports().await;
    let known = ports.dead_letters.redrive(Position(7)).await.expect("read");
    assert_eq!(known, Some(Redrive { log_last: Position(80), position: Some(Position(81)) }));
    assert_eq!(ports.dead_letters.list(Position::START, 10).await.expect("listed"), [letter(7, "bad")]);
}
