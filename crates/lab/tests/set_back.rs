//! A log or a stream of facts that comes back older than it was archived, from a backup or without its last second: what it
//! is given since has numbers that are archived already.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use nearline_config::{Config, open_ports};
use nearline_facts::{FactArchive, FactTable};
use nearline_lab::archive::{ArchiveJob, FactJob, Source, archive, archive_facts};
use nearline_lab::backfill::{BackfillJob, backfill};
use nearline_model::facts::{CaptureSettings, Decision, FactKind};
use nearline_model::{Fact, FoldSettings, MemberFacts, PartitionId, Position};
use nearline_ports::{NewEvent, Ports};

const NOW_MS: i64 = 1_772_400_000_000;

async fn open(folder: &Path) -> Ports {
    let environment = [
        ("NEARLINE__EMBEDDED__DIRECTORY".to_owned(), folder.join("data").display().to_string()),
        ("NEARLINE__ENGINE__PARTITIONS".to_owned(), "3".to_owned()),
    ];
    open_ports(&Config::load(None, environment.into_iter()).unwrap()).await.unwrap()
}

async fn publish(ports: &Ports, numbers: std::ops::Range<u32>) {
    let event = |number: u32| {
        let member = format!("m{}", number % 7);
        let payload = format!(
            r#"{{"id":"e{number}","type":"play","member":"{member}","title":"t1","at":"2026-03-01T20:15:00Z"}}"#
        );
        NewEvent { member, id: format!("e{number}"), payload: payload.into() }
    };
    for appended in ports.log.append(numbers.map(event).collect()).await {
        appended.unwrap();
    }
}

async fn decide(ports: &Ports, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let decision = Decision {
            recommendation_id: format!("r{number}").into(),
            source: "live".into(),
            variant: None,
            country: None,
            device: None,
            known: None,
            candidates: Vec::new(),
        };
        let fact = Fact {
            member: "m1".into(),
            event_at_ms: NOW_MS,
            known_at_ms: NOW_MS,
            partition: PartitionId(0),
            position: Position(1),
            ordinal: 0,
            kind: FactKind::Row,
            schema_version: Decision::VERSION,
            payload: decision.encode().into(),
        };
        ports.facts.put_decisions(vec![fact]).await.unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap(), to.join(entry.as_ref().unwrap().file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The directory as it was before is there in its place.
fn set_back(folder: &Path) {
    std::fs::remove_dir_all(folder.join("data")).unwrap();
    copy(&folder.join("backup"), &folder.join("data"));
}

/// What archiving events comes to: how many were added, or why none.
async fn events(ports: &Ports, folder: &Path, to: &str) -> Result<u64, String> {
    let job = ArchiveJob { to: (&folder.join(to)).into(), partitions: Vec::new(), file_events: 16 };
    let report = archive(&Source::from(ports), &job).await;
    report.map(|report| report.events).map_err(|error| format!("{error:#}"))
}

/// The same of decisions.
async fn decisions(ports: &Ports, folder: &Path, to: &str) -> Result<u64, String> {
    let job = FactJob {
        events: (&folder.join("events")).into(),
        to: (&folder.join(to)).into(),
        up_to: u64::MAX,
        file_facts: 40,
        fold: FoldSettings::default(),
        capture: CaptureSettings::default(),
    };
    let report = archive_facts(&Source::from(ports), &job).await;
    report.map(|report| report.decisions).map_err(|error| format!("{error:#}"))
}

fn decision_ids(facts: &Path) -> Vec<String> {
    let archive = FactArchive::existing(&facts.join("decisions"), FactTable::Decisions).unwrap().unwrap();
    let ids = archive.decision_ids().unwrap();
    let rows: u64 = archive.table().files().map(nearline_facts::delta::Add::rows).sum();
    assert_eq!(rows, ids.len() as u64, "one row a decision");
    ids.into_iter().collect()
}

#[tokio::test]
async fn a_log_that_was_set_back_is_not_taken_for_archived_whether_it_has_grown_again_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = open(folder).await;
    publish(&ports, 0..60).await;
    drop(ports);
    copy(&folder.join("data"), &folder.join("backup"));

    let ports = open(folder).await;
    publish(&ports, 60..120).await;
    assert_eq!(events(&ports, folder, "events").await, Ok(120));
    drop(ports);
    let ports = open(folder).await;
    publish(&ports, 120..130).await;
    assert_eq!(events(&ports, folder, "events").await, Ok(10), "a log that only goes on is the same");
    drop(ports);

    set_back(folder);
    let ports = open(folder).await;
    let error = events(&ports, folder, "events").await.unwrap_err();
    assert!(error.contains("the log was set back") && error.contains("another folder"), "{error}");
    publish(&ports, 1_000..1_200).await;
    let error = events(&ports, folder, "events").await.unwrap_err();
    assert!(
        error.contains("was set back and has grown since") && error.contains("another folder"),
        "{error}"
    );
    assert_eq!(events(&ports, folder, "others").await, Ok(260), "all that is there");
}

/// Puts what an engine puts of all that the log holds, up to the last record of each partition, with its fingerprint; no member
/// was served meanwhile.
async fn put_members(ports: &Ports) {
    for partition in (0..3).map(PartitionId) {
        let position = ports.log.bounds(partition).await.unwrap().last;
        let record = ports.log.record(partition, position).await.unwrap().unwrap();
        let (after, mark) = (Position::START, Some(record.mark()));
        let part = MemberFacts { partition, after, position, mark, facts: Vec::new() };
        ports.facts.put(part).await.unwrap();
    }
}

#[tokio::test]
async fn facts_of_a_log_that_was_set_back_are_not_taken_for_those_of_the_one_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = open(folder).await;
    publish(&ports, 0..60).await;
    drop(ports);
    copy(&folder.join("data"), &folder.join("backup"));
    let ports = open(folder).await;
    publish(&ports, 60..120).await;
    put_members(&ports).await;
    assert_eq!(events(&ports, folder, "events").await, Ok(120));
    assert_eq!(decisions(&ports, folder, "facts").await, Ok(0));
    drop(ports);

    set_back(folder);
    let ports = open(folder).await;
    publish(&ports, 1_000..1_200).await;
    put_members(&ports).await;
    let error = decisions(&ports, folder, "facts").await.unwrap_err();
    assert!(error.contains("made of another event") && error.contains("another folder"), "{error}");
    assert_eq!(events(&ports, folder, "others").await, Ok(260));
    let job = BackfillJob {
        archive: (&folder.join("others")).into(),
        to: (&folder.join("facts")).into(),
        partitions: Vec::new(),
        file_facts: 50,
        threads: 1,
        fold: FoldSettings::default(),
        capture: CaptureSettings::default(),
    };
    let error = format!("{:#}", backfill(&job, NOW_MS, &|_| {}).unwrap_err());
    assert!(error.contains("made of another event") && error.contains("another folder"), "{error}");
}

#[tokio::test]
async fn a_stream_of_facts_that_was_set_back_is_read_again_whether_it_has_grown_again_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports = open(folder).await;
    decide(&ports, 1..10).await;
    drop(ports);
    copy(&folder.join("data"), &folder.join("backup"));

    let ports = open(folder).await;
    decide(&ports, 10..20).await;
    assert_eq!(decisions(&ports, folder, "facts").await, Ok(19));
    drop(ports);
    let ports = open(folder).await;
    decide(&ports, 20..22).await;
    assert_eq!(decisions(&ports, folder, "facts").await, Ok(2), "a stream that only goes on is the same");
    drop(ports);

    set_back(folder);
    let ports = open(folder).await;
    decide(&ports, 100..102).await;
    assert_eq!(decisions(&ports, folder, "facts").await, Ok(2), "what is new, though its numbers were taken");
    assert_eq!(decisions(&ports, folder, "facts").await, Ok(0), "it is noticed once");
    drop(ports);

    set_back(folder);
    let ports = open(folder).await;
    decide(&ports, 102..130).await;
    assert_eq!(
        decisions(&ports, folder, "facts").await,
        Ok(28),
        "what is new, though an entry has the number"
    );
    assert_eq!(decisions(&ports, folder, "facts").await, Ok(0), "it is noticed once");
    let mut ids: Vec<u32> =
        decision_ids(&folder.join("facts")).iter().map(|id| id[1..].parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(
        ids,
        (1..22).chain(100..130).collect::<Vec<_>>(),
        "each once, those that the stream lost, too"
    );
}
