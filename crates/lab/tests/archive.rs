//! `nearline-lab archive` and `state`: a log is archived, and any moment of it folded again.

#![allow(clippy::unwrap_used)]

use nearline_model::Position;
use std::path::Path;

use nearline_config::{Config, open_ports};
use nearline_lab::archive::{ArchiveJob, ArchiveReport, Source, archive};
use nearline_lab::state::state_at;
use nearline_model::identifier::partition_of;
use nearline_model::partition::{Batch, Lookup};
use nearline_model::{LogRecord, MemberSnapshot, Partition};
use nearline_ports::{NewEvent, Ports};

fn config(folder: &Path) -> Config {
    let directory = folder.join("data").display().to_string();
    let environment = [
        ("NEARLINE__EMBEDDED__DIRECTORY".to_owned(), directory),
        ("NEARLINE__ENGINE__PARTITIONS".to_owned(), "3".to_owned()),
    ];
    Config::load(None, environment.into_iter()).unwrap()
}

async fn publish(ports: &Ports, numbers: std::ops::Range<u32>) {
    let event = |number: u32| {
        let (member, title) = (format!("m{}", number % 7), format!("t{}", number % 11));
        let payload = format!(
            r#"{{"id":"e{number}","type":"play","member":"{member}","title":"{title}","at":"2026-03-01T20:15:00Z","extra":{number}}}"#
        );
        NewEvent { member, id: format!("e{number}"), payload: payload.into() }
    };
    for appended in ports.log.append(numbers.map(event).collect()).await {
        appended.unwrap();
    }
}

async fn run(ports: &Ports, to: &Path) -> ArchiveReport {
    let job = ArchiveJob { to: to.into(), partitions: Vec::new(), file_events: 16 };
    archive(&Source::from(ports), &job).await.unwrap()
}

/// All records of a member's partition, from the log itself.
async fn log_of(ports: &Ports, member: &str) -> Vec<LogRecord> {
    let partition = partition_of(member, ports.log.partitions());
    let last = ports.log.bounds(partition).await.unwrap().last;
    let mut reader = ports.log.open_reader(partition, Position::START).await.unwrap();
    let mut records = Vec::new();
    while records.last().is_none_or(|record: &LogRecord| record.position < last) {
        records.extend(reader.next_batch(1_000).await.unwrap());
    }
    records
}

/// The fold of these records, without the archive.
fn fold(config: &Config, member: &str, records: &[LogRecord]) -> Option<MemberSnapshot> {
    let mut partition = Partition::new(partition_of(member, 3), 3, config.fold.clone());
    if records.is_empty() {
        return None;
    }
    let (admitted, missing) = partition.admit(Batch::parse(records.to_vec(), config.fold.event_bytes));
    missing.into_iter().for_each(|slot| partition.loaded(slot, None).unwrap());
    partition.fold(admitted, |_, _| {});
    let known = partition.members().any(|(name, _)| name == member);
    match partition.lookup(member, true) {
        _ if !known => None,
        Lookup::Ready(snapshot) => Some(*snapshot),
        _ => None,
    }
}

#[tokio::test]
async fn a_log_is_archived_once_and_the_next_run_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let ports = open_ports(&config).await.unwrap();
    let to = folder.path().join("archive");
    publish(&ports, 0..100).await;
    assert_eq!(run(&ports, &to).await.events, 100);
    assert_eq!(run(&ports, &to).await.events, 0, "nothing is archived twice");
    publish(&ports, 100..150).await;
    let report = run(&ports, &to).await;
    assert_eq!((report.events, report.overtaken), (50, 0));
    assert_eq!(report.notes, Vec::<String>::new());
    let archive = nearline_facts::EventArchive::existing(&to).unwrap();
    for member in ["m0", "m1", "m2", "m3"] {
        let partition = partition_of(member, 3);
        let archived: Vec<LogRecord> = archive.events(partition).flat_map(Result::unwrap).collect();
        assert_eq!(
            archived,
            log_of(&ports, member).await,
            "events are kept as they came, unknown fields and all"
        );
    }
}

#[tokio::test]
async fn i3_a_member_at_any_past_moment_is_what_the_fold_of_the_log_was() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let ports = open_ports(&config).await.unwrap();
    let to = folder.path().join("archive");
    for batch in 0..6 {
        publish(&ports, batch * 20..(batch + 1) * 20).await;
    }
    run(&ports, &to).await;
    for member in ["m0", "m3", "m5"] {
        let log = log_of(&ports, member).await;
        let mut moments: Vec<i64> =
            log.iter().flat_map(|record| [record.log_ms - 1, record.log_ms]).collect();
        moments.dedup();
        for at_ms in moments {
            let known = log.iter().position(|record| record.log_ms > at_ms).unwrap_or(log.len());
            let state = state_at(&to, member, at_ms, &config.fold).unwrap();
            assert_eq!(state.events, known as u64);
            let expected = fold(&config, member, &log[..known]);
            assert_eq!(state.snapshot, expected, "{member} at {at_ms}");
        }
    }
}

#[tokio::test]
async fn another_log_is_not_archived_into_the_same_folder() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("archive");
    let ports = open_ports(&config(folder.path())).await.unwrap();
    publish(&ports, 0..50).await;
    run(&ports, &to).await;
    let other = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(other.path())).await.unwrap();
    publish(&ports, 0..5).await;
    let job = ArchiveJob { to: (&to).into(), partitions: Vec::new(), file_events: 16 };
    let error = format!("{:#}", archive(&Source::from(&ports), &job).await.unwrap_err());
    assert!(error.contains("name another folder"), "{error}");
}
