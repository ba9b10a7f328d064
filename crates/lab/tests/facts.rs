//! From the stream of facts to tables, and facts made again of archived events: the same bytes, whoever died meanwhile.

#![allow(clippy::unwrap_used)]

use nearline_model::Position;
use nearline_model::identifier::OwnerEpoch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use nearline_config::{Config, open_ports};
use nearline_lab::archive::{ArchiveJob, FactJob, FactReport, Source, archive, archive_facts};
use nearline_lab::audit::{AuditJob, audit, page};
use nearline_lab::backfill::{BackfillJob, backfill};
use nearline_model::facts::{Candidate, CaptureSettings, Decision, FactKind, Known};
use nearline_model::identifier::partition_of;
use nearline_model::partition::{Batch, Lookup};
use nearline_model::{Fact, FoldSettings, MemberFacts, Partition, PartitionId};
use nearline_ports::{NewEvent, Ports};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const PARTITIONS: u16 = 3;
const NOW_MS: i64 = 1_772_400_000_000;

fn config(folder: &Path) -> Config {
    let directory = folder.join("data").display().to_string();
    let environment = [
        ("NEARLINE__EMBEDDED__DIRECTORY".to_owned(), directory),
        ("NEARLINE__ENGINE__PARTITIONS".to_owned(), PARTITIONS.to_string()),
    ];
    Config::load(None, environment.into_iter()).unwrap()
}

async fn publish(ports: &Ports, numbers: std::ops::Range<u32>) {
    let event = |number: u32| {
        let (member, title) = (format!("m{}", number % 23), format!("t{}", number * 7 % 31));
        let payload = format!(
            r#"{{"id":"e{number}","type":"play","member":"{member}","title":"{title}","at":"2026-03-01T20:{:02}:00Z","country":"BR"}}"#,
            number % 60
        );
        NewEvent { member, id: format!("e{number}"), payload: payload.into() }
    };
    for appended in ports.log.append(numbers.map(event).collect()).await {
        appended.unwrap();
    }
}

/// Does what an engine does with a partition's log: folds it, commits every so many events, and puts the facts.
struct Engine<'a> {
    ports: &'a Ports,
    partitions: Vec<Partition>,
}

impl<'a> Engine<'a> {
    fn new(ports: &'a Ports) -> Self {
        let partition = |id| {
            Partition::new(PartitionId(id), PARTITIONS, FoldSettings::default())
                .capture(CaptureSettings::default())
        };
        Self { ports, partitions: (0..PARTITIONS).map(partition).collect() }
    }

    async fn fold(&mut self, commit_events: usize, streams: bool) {
        for partition in &mut self.partitions {
            let last = self.ports.log.bounds(partition.id()).await.unwrap().last;
            while partition.folded() < last {
                let mut reader =
                    self.ports.log.open_reader(partition.id(), partition.folded()).await.unwrap();
                let records = reader.next_batch(commit_events).await.unwrap();
                let (admitted, missing) = partition.admit(Batch::parse(records, 65_536));
                missing.into_iter().for_each(|slot| partition.loaded(slot, None).unwrap());
                partition.fold(admitted, |_, _| {});
                let commit = partition.take_commit(OwnerEpoch(1)).unwrap();
                let facts = MemberFacts {
                    partition: commit.partition,
                    after: commit.expected,
                    position: commit.position,
                    mark: commit.mark,
                    facts: commit.facts,
                };
                if streams {
                    self.ports.facts.put(facts).await.unwrap();
                }
            }
        }
    }
}

fn fact_job(folder: &Path) -> FactJob {
    FactJob {
        events: (&folder.join("events")).into(),
        to: (&folder.join("facts")).into(),
        up_to: u64::MAX,
        file_facts: 40,
        fold: FoldSettings::default(),
        capture: CaptureSettings::default(),
    }
}

async fn run(ports: &Ports, folder: &Path) -> FactReport {
    let events = ArchiveJob { to: (&folder.join("events")).into(), partitions: Vec::new(), file_events: 64 };
    archive(&Source::from(ports), &events).await.unwrap();
    archive_facts(&Source::from(ports), &fact_job(folder)).await.unwrap()
}

fn backfilled(folder: &Path, to: &str) -> PathBuf {
    let job = BackfillJob {
        archive: (&folder.join("events")).into(),
        to: (&folder.join(to)).into(),
        partitions: Vec::new(),
        file_facts: 50,
        threads: 2,
        fold: FoldSettings::default(),
        capture: CaptureSettings { every_change: true, ..CaptureSettings::default() },
    };
    backfill(&job, NOW_MS, &|_| {}).unwrap();
    folder.join(to).join("members")
}

type Row = (i32, i64, i32);

/// Payloads by partition, position and ordinal; each is there once.
fn payloads(table: &Path) -> BTreeMap<Row, (String, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for file in nearline_facts::delta::DeltaTable::open(table).unwrap().unwrap().files() {
        let file = std::fs::File::open(table.join(&file.path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let number = |name: &str, row| batch[name].as_primitive::<Int32Type>().value(row);
            for row in 0..batch.num_rows() {
                let position = batch["position"].as_primitive::<Int64Type>().value(row);
                let key = (number("partition", row), position, number("ordinal", row));
                let member = batch["member"].as_string::<i32>().value(row).to_owned();
                let payload = batch["payload"].as_binary::<i32>().value(row).to_vec();
                assert!(found.insert(key, (member, payload)).is_none(), "{key:?} is there twice");
            }
        }
    }
    found
}

#[tokio::test]
async fn captured_facts_are_archived_once_and_equal_those_made_of_the_events() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(folder.path())).await.unwrap();
    let mut engine = Engine::new(&ports);
    publish(&ports, 0..300).await;
    engine.fold(17, true).await;
    let first = run(&ports, folder.path()).await;
    assert!(first.members > 100 && first.made_again == 0, "{first:?}");
    assert_eq!(run(&ports, folder.path()).await.members, 0, "nothing is archived twice");
    publish(&ports, 300..400).await;
    engine.fold(17, true).await;
    // A crashed engine folds again from its last commit, and commits at other places.
    Engine::new(&ports).fold(29, true).await;
    let again = run(&ports, folder.path()).await;
    assert!(again.repeated > 100, "{again:?}");

    let captured = payloads(&folder.path().join("facts/members"));
    let all = payloads(&backfilled(folder.path(), "backfilled"));
    assert_eq!(all.len(), 400);
    assert!(captured.len() < all.len());
    for (key, fact) in &captured {
        assert_eq!(Some(fact), all.get(key), "{key:?}");
    }
    // A second run makes nothing, and one that goes on makes the rest.
    assert_eq!(payloads(&backfilled(folder.path(), "backfilled")), all);
}

#[tokio::test]
async fn what_the_stream_lacks_is_made_again_of_events() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(folder.path())).await.unwrap();
    let mut engine = Engine::new(&ports);
    publish(&ports, 0..100).await;
    engine.fold(10, false).await;
    publish(&ports, 100..200).await;
    engine.fold(10, true).await;
    publish(&ports, 200..300).await;
    engine.fold(10, false).await;
    publish(&ports, 300..330).await;
    engine.fold(10, true).await;
    let report = run(&ports, folder.path()).await;
    assert_eq!(report.made_again, 200, "{report:?}");
    assert!(report.notes.is_empty(), "{report:?}");
    let captured = payloads(&folder.path().join("facts/members"));
    let all = payloads(&backfilled(folder.path(), "backfilled"));
    assert!(captured.iter().all(|(key, fact)| all.get(key) == Some(fact)));
    // The newest of everybody is there.
    let newest = |facts: &BTreeMap<Row, (String, Vec<u8>)>| {
        let mut newest: BTreeMap<String, Row> = BTreeMap::new();
        for (key, (member, _)) in facts {
            let held = newest.entry(member.clone()).or_insert(*key);
            *held = (*held).max(*key);
        }
        newest
    };
    assert_eq!(newest(&captured), newest(&all));
    // A backfill into the same tables adds nothing: all is covered.
    let before = captured.len();
    assert_eq!(payloads(&backfilled(folder.path(), "facts")).len(), before);
}

#[tokio::test]
async fn two_archivers_at_once_add_each_fact_once() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(folder.path())).await.unwrap();
    publish(&ports, 0..600).await;
    Engine::new(&ports).fold(25, true).await;
    let events =
        ArchiveJob { to: (&folder.path().join("events")).into(), partitions: Vec::new(), file_events: 64 };
    archive(&Source::from(&ports), &events).await.unwrap();
    let job = fact_job(folder.path());
    let source = Source::from(&ports);
    let (one, other) = tokio::join!(archive_facts(&source, &job), archive_facts(&source, &job));
    let (one, other) = (one.unwrap(), other.unwrap());
    let found = payloads(&folder.path().join("facts/members"));
    assert_eq!(found.len() as u64, one.members + other.members, "{one:?} {other:?}");
    let all = payloads(&backfilled(folder.path(), "backfilled"));
    assert!(found.iter().all(|(key, fact)| all.get(key) == Some(fact)));
}

/// An answer of one title, made of a state.
fn decision(number: u32, member: &str, position: Position, known: Option<u64>) -> Fact {
    let candidate = |place| Candidate {
        title: format!("t{place}").as_str().into(),
        row: "".into(),
        place,
        score: 0.5,
        artwork: None,
        placed: None,
    };
    let decision = Decision {
        recommendation_id: format!("r{number}").into(),
        source: "live".into(),
        variant: None,
        country: None,
        device: None,
        known,
        candidates: (0..number).map(candidate).collect(),
    };
    Fact {
        member: member.into(),
        event_at_ms: NOW_MS,
        known_at_ms: NOW_MS,
        partition: partition_of(member, PARTITIONS),
        position,
        ordinal: 0,
        kind: FactKind::Row,
        schema_version: Decision::VERSION,
        payload: decision.encode().into(),
    }
}

#[tokio::test]
async fn an_audit_finds_what_is_missing_and_what_was_served_of_another_state() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(folder.path())).await.unwrap();
    let mut engine = Engine::new(&ports);
    publish(&ports, 0..200).await;
    engine.fold(20, true).await;
    let titles = CaptureSettings::default().titles;
    let mut decisions = Vec::new();
    for number in 0..4 {
        let member = format!("m{number}");
        let partition = &mut engine.partitions[usize::from(partition_of(&member, PARTITIONS).0)];
        let Lookup::Ready(snapshot) = partition.lookup(&member, false) else { panic!("{member} is cached") };
        let known = Known::of_snapshot(&snapshot, titles).digest();
        let known = if number == 3 { known + 1 } else { known };
        decisions.push(decision(number, &member, snapshot.position, Some(known)));
    }
    ports.facts.put_decisions(decisions).await.unwrap();
    run(&ports, folder.path()).await;
    let job = AuditJob {
        archive: folder.path().join("events"),
        facts: folder.path().join("facts"),
        sample: 1.0,
        refold: true,
        fold: FoldSettings::default(),
        capture: CaptureSettings::default(),
    };
    let report = audit(&job).unwrap();
    assert_eq!((report.served.answers, report.served.equal, report.served.unlike), (4, 3, 1), "{report:#?}");
    assert_eq!(report.findings.len(), 1, "{report:#?}");
    let refolded = report.refolded.as_ref().unwrap();
    assert!(refolded.facts > 50 && refolded.equal == refolded.facts, "{refolded:?}");
    assert!(report.coverage.iter().all(|partition| partition.covered == partition.events), "{report:#?}");
    assert_eq!(report.tables.iter().map(|table| table.rows).collect::<Vec<_>>()[0], 200);
    assert!(page(&report).contains("3 of 4"));

    publish(&ports, 200..230).await;
    let events =
        ArchiveJob { to: (&folder.path().join("events")).into(), partitions: Vec::new(), file_events: 64 };
    archive(&Source::from(&ports), &events).await.unwrap();
    let report = audit(&job).unwrap();
    let missing: u64 = report.coverage.iter().map(|partition| partition.events - partition.covered).sum();
    assert_eq!(missing, 30);
    assert!(report.findings.len() > 1, "{report:#?}");
}

#[tokio::test]
async fn an_erased_member_leaves_the_facts_and_what_is_made_again_of_the_rest_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(folder.path())).await.unwrap();
    publish(&ports, 0..200).await;
    Engine::new(&ports).fold(20, true).await;
    ports
        .facts
        .put_decisions(vec![decision(2, "m3", Position(100), None), decision(2, "m4", Position(100), None)])
        .await
        .unwrap();
    run(&ports, folder.path()).await;
    let all = payloads(&backfilled(folder.path(), "before"));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
        .current_dir(folder.path())
        .args(["erase", "--archive", "events", "--facts", "facts", "--member", "m3", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["facts"].as_u64().unwrap() > 2 && report["events"].as_u64().unwrap() > 2, "{report}");
    let left = payloads(&folder.path().join("facts/members"));
    assert!(!left.is_empty() && left.values().all(|(member, _)| member != "m3"));
    assert_eq!(run(&ports, folder.path()).await.members, 0, "what is erased does not come back");
    let again = payloads(&backfilled(folder.path(), "after"));
    let others: BTreeMap<_, _> = all.into_iter().filter(|(_, (member, _))| member != "m3").collect();
    assert!(again == others, "{} facts made again, {} before", again.len(), others.len());
}

#[tokio::test]
async fn decisions_become_labels_that_are_joined_with_what_was_known_then() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open_ports(&config(folder.path())).await.unwrap();
    publish(&ports, 0..200).await;
    Engine::new(&ports).fold(1_000, true).await;
    let decisions = vec![decision(2, "m1", Position(1_000), None), decision(0, "m2", Position(1_000), None)];
    ports.facts.put_decisions(decisions).await.unwrap();
    let report = run(&ports, folder.path()).await;
    assert_eq!(report.decisions, 2, "{report:?}");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
        .current_dir(folder.path())
        .args(["extract", "--labels", "facts/decisions", "--facts", "facts/members", "--order", "as-served"])
        .args([
            "--columns",
            "titles,titles_1d,last_title,recent_titles,country",
            "-o",
            "train.parquet",
            "--json",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // One row for each candidate, and one for the answer without any.
    assert_eq!((&report["rows"], &report["ok"]), (&3.into(), &3.into()), "{report}");
    let file = std::fs::File::open(folder.path().join("train.parquet")).unwrap();
    let batch =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().next().unwrap().unwrap();
    let titles = batch["titles"].as_primitive::<Int32Type>();
    let recent = batch["recent_titles"].as_list::<i32>();
    for row in 0..3 {
        assert_eq!(recent.value(row).len(), titles.value(row) as usize);
        assert_eq!(
            recent.value(row).as_string::<i32>().value(0),
            batch["last_title"].as_string::<i32>().value(row)
        );
    }
}
