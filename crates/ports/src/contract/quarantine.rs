//! What every `QuarantineStore` promises.

use super::{Fixture, commit, is_fenced};
use crate::{PartitionFaults, PortError};
use nearline_model::quarantine::{Quarantined, Suspects};
use nearline_model::{Commit, PartitionId, Position};
use std::sync::Arc;

const P: PartitionId = PartitionId(1);

fn entry(position: u64) -> Quarantined {
    Quarantined::new(Position(position), 3, &format!("crash at {position}"), 1_772_396_100_250)
}

fn suspects(positions: &[u64]) -> Suspects {
    let mut suspects = Suspects::default();
    for position in positions {
        suspects.crashed(Position(*position), "crash");
    }
    suspects
}

pub async fn an_empty_quarantine_is_empty(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(ports.quarantine.troubles(P).await.expect("read"), PartitionFaults::default());
}

pub async fn quarantined_events_and_suspects_survive_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = ports.store.acquire(P, ports.log.identity(), "{}").await.expect("acquired").epoch;
    for position in [300, 2, 70_000] {
        ports.quarantine.quarantine(P, epoch, &entry(position)).await.expect("put");
    }
    ports.quarantine.suspect(P, epoch, &suspects(&[5])).await.expect("put");
    ports.quarantine.suspect(P, epoch, &suspects(&[7, 9])).await.expect("replaced");
    drop(ports);
    let ports = fixture.ports().await;
    let troubles = ports.quarantine.troubles(P).await.expect("read");
    let expected = [2, 300, 70_000].map(entry);
    assert!(troubles.quarantine.iter().eq(expected.iter()), "{troubles:?}");
    assert_eq!(troubles.suspects, suspects(&[7, 9]));
    let others = ports.quarantine.troubles(PartitionId(2)).await.expect("read");
    assert_eq!(others, PartitionFaults::default(), "partitions do not see each other's");
}

pub async fn an_entry_that_is_there_stays_as_it_is(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = ports.store.acquire(P, ports.log.identity(), "{}").await.expect("acquired").epoch;
    ports.quarantine.quarantine(P, epoch, &entry(8)).await.expect("put");
    ports.store.commit(commit(P, epoch, 0, 9, &[])).await.expect("stepped over and committed");
    let again = Quarantined::new(Position(8), 99, "told otherwise", 1);
    ports.quarantine.quarantine(P, epoch, &again).await.expect("the same event again is a success");
    let troubles = ports.quarantine.troubles(P).await.expect("read");
    assert!(troubles.quarantine.iter().eq([&entry(8)]), "{troubles:?}");
}

pub async fn a_commit_brings_along_what_it_stepped_over(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = ports.store.acquire(P, ports.log.identity(), "{}").await.expect("acquired").epoch;
    let quarantine = [entry(3), entry(8), entry(10)].into_iter().collect();
    let stepping_over = |commit: Arc<Commit>| Arc::new(Commit::clone(&commit).stepping_over(&quarantine));
    ports.store.commit(stepping_over(commit(P, epoch, 0, 3, &[]))).await.expect("committed");
    ports.store.commit(stepping_over(commit(P, epoch, 3, 9, &[("ann", "ann")]))).await.expect("committed");
    let refused = ports.store.commit(stepping_over(commit(P, epoch, 3, 11, &[]))).await;
    assert!(matches!(refused, Err(PortError::UnexpectedPosition { .. })), "{refused:?}");
    let troubles = ports.quarantine.troubles(P).await.expect("read");
    assert!(troubles.quarantine.iter().eq([&entry(3), &entry(8)]), "{troubles:?}");
    let members = ports.store.load_members(P, &["ann".into()]).await.expect("read");
    assert_eq!(members[0].as_deref(), Some(&b"ann"[..]));
}

pub async fn an_older_epoch_puts_nothing_into_quarantine(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let older = ports.store.acquire(P, ports.log.identity(), "{}").await.expect("acquired").epoch;
    let newer = ports.store.acquire(P, ports.log.identity(), "{}").await.expect("acquired").epoch;
    assert!(is_fenced(&ports.quarantine.quarantine(P, older, &entry(8)).await));
    assert!(is_fenced(&ports.quarantine.suspect(P, older, &suspects(&[8])).await));
    assert_eq!(ports.quarantine.troubles(P).await.expect("read"), PartitionFaults::default());
    ports.quarantine.quarantine(P, newer, &entry(8)).await.expect("the newer one may");
}

pub async fn what_is_folded_is_never_put_into_quarantine(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let epoch = ports.store.acquire(P, ports.log.identity(), "{}").await.expect("acquired").epoch;
    ports.store.commit(commit(P, epoch, 0, 8, &[])).await.expect("committed");
    for position in [7, 8] {
        let refused = ports.quarantine.quarantine(P, epoch, &entry(position)).await;
        assert!(
            matches!(refused, Err(PortError::UnexpectedPosition { found: Position(8), .. })),
            "{refused:?}"
        );
    }
    ports.quarantine.quarantine(P, epoch, &entry(9)).await.expect("what comes next may");
    let troubles = ports.quarantine.troubles(P).await.expect("read");
    assert!(troubles.quarantine.iter().eq([&entry(9)]), "{troubles:?}");
}
