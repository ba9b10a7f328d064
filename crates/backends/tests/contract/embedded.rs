//! The embedded adapter against the contract, and what only it promises.

use async_trait::async_trait;
use nearline_backends::embedded::{EmbeddedSettings, SyncPolicy, open};
use nearline_model::PartitionId;
use nearline_model::Position;
use nearline_model::identifier::{position_of, sequence_of};
use nearline_ports::contract::{Fixture, append, event, members_of, read, soon};
use nearline_ports::{NewEvent, PortError, Ports};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

struct EmbeddedFixture(TempDir);

#[async_trait]
impl Fixture for EmbeddedFixture {
    async fn ports(&self) -> Ports {
        open(settings(self.0.path())).expect("the directory opens")
    }
}

async fn embedded() -> EmbeddedFixture {
    EmbeddedFixture(tempfile::tempdir().expect("a directory"))
}

nearline_ports::contract_suite!(embedded);

fn settings(directory: &Path) -> EmbeddedSettings {
    EmbeddedSettings { partitions: 4, sync: SyncPolicy::Os, ..EmbeddedSettings::in_directory(directory) }
}

fn misconfigured(outcome: Result<Ports, PortError>) -> String {
    match outcome {
        Err(PortError::Misconfigured(text)) => text,
        Err(other) => panic!("expected a misconfiguration, found {other}"),
        Ok(_) => panic!("expected a misconfiguration, but it opened"),
    }
}

#[tokio::test]
async fn a_directory_is_not_opened_twice() {
    let directory = tempfile::tempdir().expect("a directory");
    let ports = open(settings(directory.path())).expect("the first opens");
    let refused = misconfigured(open(settings(directory.path())));
    assert!(refused.contains(&directory.path().display().to_string()), "{refused}");
    append(&ports, vec![event("ada", "still-works")]).await;
    drop(ports);
    open(settings(directory.path())).expect("free again");
}

#[tokio::test]
async fn another_partition_count_is_refused_with_both_numbers() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(open(settings(directory.path())).expect("made with 4"));
    let other = EmbeddedSettings { partitions: 7, ..settings(directory.path()) };
    let refused = misconfigured(open(other));
    assert!(refused.contains(" 4 ") && refused.contains(" 7"), "{refused}");
    open(settings(directory.path())).expect("4 is still right");
}

#[tokio::test]
async fn impossible_partition_counts_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for partitions in [0, 1_025] {
        let refused = misconfigured(open(EmbeddedSettings { partitions, ..settings(directory.path()) }));
        assert!(refused.contains(&partitions.to_string()), "{refused}");
    }
}

#[tokio::test]
async fn a_file_in_the_place_of_the_directory_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("taken");
    std::fs::write(&path, "a file").expect("written");
    let refused = misconfigured(open(settings(&path)));
    assert!(refused.contains(&path.display().to_string()), "{refused}");
}

#[tokio::test]
async fn a_directory_of_another_format_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    drop(open(settings(directory.path())).expect("made"));
    std::fs::write(directory.path().join("format.json"), "{\"version\":99,\"partitions\":4}")
        .expect("written");
    let refused = misconfigured(open(settings(directory.path())));
    assert!(refused.contains("99"), "{refused}");
    std::fs::write(directory.path().join("format.json"), "not JSON").expect("written");
    let outcome = open(settings(directory.path()));
    assert!(matches!(outcome, Err(PortError::Damaged { .. })));
}

#[tokio::test]
async fn ids_beyond_the_duplicate_window_are_stored_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let small = EmbeddedSettings { duplicate_window_ids: 3, ..settings(directory.path()) };
    let ports = open(small.clone()).expect("opens");
    let ids = ["a", "b", "c", "d"];
    append(&ports, ids.iter().map(|id| event("ada", id)).collect()).await;
    drop(ports);
    let ports = open(small).expect("opens");
    let outcomes = append(&ports, ["d", "c", "b"].iter().map(|id| event("ada", id)).collect()).await;
    assert!(outcomes.iter().all(|outcome| outcome.duplicate), "{outcomes:?}");
    assert!(!append(&ports, vec![event("ada", "a")]).await[0].duplicate);
}

#[tokio::test]
async fn positions_go_on_where_they_were_after_reopening() {
    let directory = tempfile::tempdir().expect("a directory");
    for round in 0..5 {
        let ports = open(settings(directory.path())).expect("opens");
        for partition in (0..4).map(PartitionId) {
            let member = &members_of(partition, 4, 1)[0];
            let appended = append(&ports, vec![event(member, &format!("id{round}"))]).await;
            assert_eq!(appended[0].position, position_of(round + 1, partition, 4));
        }
    }
}

/// Position of the record of this number in partition 0.
fn at(number: u64) -> Position {
    position_of(number, PartitionId(0), 4)
}

/// An event so large that the memory tail holds a few thousand of its kind.
fn padded(member: &str, id: &str) -> NewEvent {
    NewEvent { payload: vec![b'x'; 2_000].into(), ..event(member, id) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_behind_the_memory_tail_joins_it_without_a_gap() {
    let directory = tempfile::tempdir().expect("a directory");
    let ports = open(settings(directory.path())).expect("opens");
    let member = members_of(PartitionId(0), 4, 1).remove(0);
    const ROUNDS: usize = 30;
    const EACH: usize = 1_000;
    let appender = {
        let (ports, member) = (ports.clone(), member.clone());
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let events = (0..EACH).map(|n| padded(&member, &format!("r{round}-{n}"))).collect();
                append(&ports, events).await;
            }
        })
    };
    let mut readers = Vec::new();
    for max_records in [1_usize, 7, 501, 8_192] {
        let ports = ports.clone();
        readers.push(tokio::spawn(async move {
            let mut reader = ports.log.open_reader(PartitionId(0), Position::START).await.expect("a reader");
            read(reader.as_mut(), ROUNDS * EACH, max_records).await
        }));
    }
    appender.await.expect("the appender ends");
    for reader in readers {
        let records = reader.await.expect("the reader ends");
        let expected = (1..=(ROUNDS * EACH) as u64).map(at);
        assert!(records.iter().map(|record| record.position).eq(expected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retention_removes_the_oldest_but_nothing_uncommitted() {
    let directory = tempfile::tempdir().expect("a directory");
    // Of each of the four partitions 100.
    let kept = EmbeddedSettings { retention_events: 400, ..settings(directory.path()) };
    let ports = open(kept.clone()).expect("opens");
    let member = members_of(PartitionId(0), 4, 1).remove(0);
    append(&ports, (0..500).map(|n| event(&member, &format!("id{n}"))).collect()).await;
    let epoch =
        ports.store.acquire(PartitionId(0), ports.log.identity(), "{}").await.expect("acquired").epoch;
    for (expected, committed, first) in [(0, 50, 51), (50, 450, 401)] {
        let left = 500 - committed as usize;
        let (expected, committed, first) =
            (if expected == 0 { Position::START } else { at(expected) }, at(committed), at(first));
        ports
            .store
            .commit(nearline_ports::contract::commit(PartitionId(0), epoch, expected.0, committed.0, &[]))
            .await
            .expect("committed");
        soon("trimmed log", async {
            while ports.log.bounds(PartitionId(0)).await.expect("bounds").first != first {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        })
        .await;
        let mut reader = ports.log.open_reader(PartitionId(0), committed).await.expect("a reader");
        let records = read(reader.as_mut(), left, 1_000).await;
        assert_eq!(records[0].position, committed.further(4));
    }
    drop(ports);
    let ports = open(kept).expect("opens");
    // What is stored together with a record that is kept is there until the next look.
    soon("trimmed log", async {
        while ports.log.bounds(PartitionId(0)).await.expect("bounds").first != at(401) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(ports.log.bounds(PartitionId(0)).await.expect("bounds").last, at(500));
}

const CHILD_DIRECTORY: &str = "NEARLINE_TEST_CHILD_DIRECTORY";

/// Not a promise of its own: the process that the test below kills. Without its variable it ends at once.
#[tokio::test]
async fn child_that_appends_until_it_is_killed() {
    let Ok(directory) = std::env::var(CHILD_DIRECTORY) else { return };
    let ports = open(settings(Path::new(&directory))).expect("opens");
    let acquired = ports.store.acquire(PartitionId(0), ports.log.identity(), "{}").await.expect("acquired");
    let (epoch, mut committed) = (acquired.epoch, acquired.position);
    let member = members_of(PartitionId(0), 4, 1).remove(0);
    for round in 0_u64.. {
        let events = (0..100).map(|n| event(&member, &format!("e{epoch}r{round}-{n}"))).collect();
        let last = append(&ports, events).await[99].position;
        let commit = nearline_ports::contract::commit(
            PartitionId(0),
            epoch,
            committed.0,
            last.0,
            &[("ada", &last.to_string())],
        );
        ports.store.commit(commit).await.expect("committed");
        committed = last;
        println!("acknowledged {last}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_before_sigkill_is_there_afterwards() {
    let directory = tempfile::tempdir().expect("a directory");
    for _life in 1..=3 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["embedded::child_that_appends_until_it_is_killed", "--exact", "--nocapture"])
            .env(CHILD_DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut acknowledged = Position::START;
        for _ in 0..20 {
            acknowledged = loop {
                let line = lines.next().expect("the child goes on").expect("text");
                if let Some((_, position)) = line.rsplit_once("acknowledged ") {
                    break position.parse::<Position>().expect("a position");
                }
            };
        }
        child.kill().expect("killed");
        child.wait().expect("the child ends");
        let ports = open(settings(directory.path())).expect("opens");
        let bounds = ports.log.bounds(PartitionId(0)).await.expect("bounds");
        assert!(bounds.last >= acknowledged, "{} < {acknowledged}", bounds.last);
        let position = ports.store.position(PartitionId(0)).await.expect("peeked");
        assert!((acknowledged..=bounds.last).contains(&position));
        let state = ports.store.load_members(PartitionId(0), &["ada".into()]).await.expect("loaded");
        assert_eq!(state[0].as_deref(), Some(position.to_string().as_bytes()));
        let mut reader = ports.log.open_reader(PartitionId(0), Position::START).await.expect("a reader");
        let count = sequence_of(bounds.last, PartitionId(0), 4).expect("its own");
        let records = read(reader.as_mut(), count as usize, 10_000).await;
        assert!(records.iter().map(|record| record.position).eq((1..=count).map(at)));
    }
}
