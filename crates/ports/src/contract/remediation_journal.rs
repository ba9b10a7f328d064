//! What every `RemediationJournal` promises.

use super::Fixture;
use crate::JOURNAL_ENTRIES;
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::control::remediation::{Remediation, Standing};
use nearline_model::identifier::OwnerEpoch;

fn remediation(number: u64) -> Remediation {
    let at_ms = 1_772_396_100_000 + number as i64;
    Remediation {
        id: format!("{at_ms:013}-0000cafe-{number:06}"),
        at_ms,
        partition: PartitionId((number % 4) as u16),
        fault: "poisoned".into(),
        detail: "panic while folding position 7: \"quoted\"".into(),
        action: "quarantine".into(),
        wait_ms: 5,
        position: Some(Position(7)),
        attempts: Some(3),
        trace_id: Some(format!("{number:032x}")),
        before: Standing {
            state: "live".into(),
            epoch: OwnerEpoch(1),
            folded: Position(6),
            committed: Position(4),
        },
        after: None,
        took_ms: None,
    }
}

pub async fn remediations_come_back_newest_first_with_a_limit(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(ports.remediations.list(10).await.expect("listed"), []);
    for number in [3, 1, 2] {
        ports.remediations.put(&remediation(number)).await.expect("put");
    }
    let listed = ports.remediations.list(10).await.expect("listed");
    assert_eq!(listed, [3, 2, 1].map(remediation));
    assert_eq!(ports.remediations.list(2).await.expect("listed"), [3, 2].map(remediation));
}

pub async fn the_same_remediation_again_replaces_what_was_known(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    ports.remediations.put(&remediation(1)).await.expect("put");
    ports.remediations.put(&remediation(2)).await.expect("put");
    let after =
        Standing { state: "live".into(), epoch: OwnerEpoch(2), folded: Position(8), committed: Position(6) };
    let done = Remediation { after: Some(after), took_ms: Some(12), ..remediation(1) };
    ports.remediations.put(&done).await.expect("put");
    assert_eq!(ports.remediations.list(10).await.expect("listed"), [remediation(2), done]);
}

pub async fn remediations_survive_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    ports.remediations.put(&remediation(5)).await.expect("put");
    drop(ports);
    let ports = fixture.ports().await;
    assert_eq!(ports.remediations.list(10).await.expect("listed"), [remediation(5)]);
}

pub async fn the_journal_drops_the_oldest_of_too_many(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let count = JOURNAL_ENTRIES as u64 + 5;
    for number in 0..count {
        ports.remediations.put(&remediation(number)).await.expect("put");
    }
    let listed = ports.remediations.list(usize::MAX).await.expect("listed");
    assert_eq!(listed.len(), JOURNAL_ENTRIES);
    assert_eq!(listed.first(), Some(&remediation(count - 1)));
    assert_eq!(listed.last(), Some(&remediation(5)));
}
