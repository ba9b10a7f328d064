//! The archive of events: nothing lost, nothing double, whoever dies and however many write.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use nearline_facts::delta::DeltaTable;
use nearline_facts::{Archived, ArchivedLog, EventArchive, Source, Tidying};
use nearline_model::identifier::{Blocks, position_of};
use nearline_model::{FoldSettings, LogRecord, PartitionId, Position};

const PARTITIONS: u16 = 4;

fn open(folder: &Path) -> EventArchive {
    EventArchive::open(folder, a_log("a-log", PARTITIONS), "an-id", 1_000).unwrap()
}

fn a_log(identity: &str, partitions: u16) -> ArchivedLog<'_> {
    ArchivedLog { identity, partitions, blocks: Blocks::default() }
}

/// Records of a partition, by their numbers in it.
fn records(partition: u16, numbers: impl Iterator<Item = u64>) -> Vec<LogRecord> {
    let record = |number: u64| {
        let position = position_of(number, PartitionId(partition), PARTITIONS);
        let at = 1_772_396_100 + position.0 as i64;
        let payload = match position.0 % 10 {
            9 => "no JSON at all".to_owned(),
            _ => format!(
                r#"{{"id":"e{position}","type":"play","member":"m{}","title":"t{}","at":"2026-03-01T20:15:00Z"}}"#,
                position.0 % 3,
                position.0 % 5
            ),
        };
        LogRecord { position, log_ms: at * 1_000, payload: payload.into() }
    };
    numbers.map(record).collect()
}

/// How many events of a partition are archived.
fn archived(archive: &EventArchive, partition: u16) -> u64 {
    let id = PartitionId(partition);
    nearline_model::identifier::sequence_of(archive.last(id), id, PARTITIONS).unwrap_or_default()
}

fn events(archive: &EventArchive, partition: u16) -> Vec<LogRecord> {
    archive.events(PartitionId(partition)).flat_map(Result::unwrap).collect()
}

#[test]
fn events_come_back_as_they_were_and_the_archive_knows_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let (first, second) = (records(1, 1..250), records(1, 250..450));
    for part in [&first, &second] {
        let added = archive.add(PartitionId(1), part, &format!("n{}", part[0].position), 2_000).unwrap();
        assert!(matches!(added, Archived::Added { bytes } if bytes > 0));
    }
    let again = EventArchive::existing(folder.path()).unwrap();
    assert_eq!(
        (again.partitions(), again.last(PartitionId(1)), again.last(PartitionId(0))),
        (4, position_of(449, PartitionId(1), 4), Position::START)
    );
    assert_eq!(events(&again, 1), [first, second].concat());
    assert_eq!(events(&again, 0), []);
    for (log, partitions) in [("a-log", 8), ("another-log", 4)] {
        let error = EventArchive::open(folder.path(), a_log(log, partitions), "an-id", 3_000)
            .unwrap_err()
            .to_string();
        assert!(error.contains("the log a-log of 4 partitions") && error.contains(log), "{error}");
    }
}

#[test]
fn events_that_do_not_follow_the_last_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive.add(PartitionId(0), &records(0, 1..10), "a", 2_000).unwrap();
    // Some again, one missing, out of order, of another partition.
    let wrong =
        [records(0, 5..12), records(0, 11..12), records(0, [10, 12, 11].into_iter()), records(1, 10..11)];
    for wrong in wrong {
        let error = archive.add(PartitionId(0), &wrong, "b", 2_000).unwrap_err().to_string();
        assert!(error.contains("does not follow") && error.contains("missing, or come twice"), "{error}");
    }
    assert_eq!(events(&archive, 0).len(), 9);
}

#[test]
fn an_archive_of_a_log_with_blocks_takes_what_follows_message_by_message() {
    let folder = tempfile::tempdir().unwrap();
    let log = ArchivedLog { blocks: Blocks::of(8), ..a_log("a-log", PARTITIONS) };
    let mut archive = EventArchive::open(folder.path(), log, "an-id", 1_000).unwrap();
    // Messages of three, one and eight events; and a fourth, in parts.
    let numbers = [6, 7, 8, 16, 17, 18, 19, 20, 21, 22, 23, 24, 31];
    archive.add(PartitionId(0), &records(0, numbers.into_iter()), "a", 2_000).unwrap();
    for wrong in [vec![33], vec![31], vec![40], vec![32, 41]] {
        let added = archive.add(PartitionId(0), &records(0, wrong.into_iter()), "b", 2_000);
        assert!(added.unwrap_err().to_string().contains("does not follow"));
    }
    archive.add(PartitionId(0), &records(0, [32, 40].into_iter()), "c", 2_000).unwrap();
    let read = events(&EventArchive::open(folder.path(), log, "an-id", 1_000).unwrap(), 0);
    assert_eq!(read, records(0, numbers.into_iter().chain([32, 40])));
    let without = EventArchive::open(folder.path(), a_log("a-log", PARTITIONS), "an-id", 3_000);
    assert!(without.is_err(), "positions mean something else there");
}

#[test]
fn of_two_archivers_of_one_partition_the_second_adds_nothing_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (open(folder.path()), open(folder.path()));
    one.add(PartitionId(2), &records(2, 1..100), "one", 2_000).unwrap();
    let added = other.add(PartitionId(2), &records(2, 1..50), "other", 2_000).unwrap();
    assert_eq!(added, Archived::Overtaken { last: position_of(99, PartitionId(2), 4) });
    let added = other.add(PartitionId(2), &records(2, 100..120), "other", 2_000).unwrap();
    assert!(matches!(added, Archived::Added { .. }), "it goes on where the first one is");
    assert_eq!(events(&other, 2), records(2, 1..120));
    assert_eq!(other.table().left_behind().unwrap(), []);
}

#[test]
fn archivers_of_all_partitions_at_once_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    std::thread::scope(|scope| {
        // Two of each partition, which race for every step.
        for worker in 0..2 * PARTITIONS {
            let folder = folder.path();
            scope.spawn(move || {
                let partition = worker % PARTITIONS;
                let mut archive = open(folder);
                while let Some(last) = Some(archived(&archive, partition)).filter(|last| *last < 200) {
                    let part = records(partition, last + 1..last + 21);
                    archive.add(PartitionId(partition), &part, &format!("w{worker}-{last}"), 2_000).unwrap();
                }
            });
        }
    });
    let archive = EventArchive::existing(folder.path()).unwrap();
    for partition in 0..PARTITIONS {
        assert_eq!(events(&archive, partition), records(partition, 1..201), "partition {partition}");
    }
    assert_eq!(archive.table().left_behind().unwrap().len(), 0);
    assert_eq!(archive.table().version(), 40, "ten steps of each of four partitions");
}

#[test]
fn an_archiver_that_dies_before_its_commit_leaves_a_file_that_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    archive.add(PartitionId(0), &records(0, 1..10), "a", 2_000).unwrap();
    let whole = archive.table().files().next().unwrap().path.clone();
    let orphan = folder.path().join("events-p00000-00000000000000000010-00000000000000000020-dead.parquet");
    std::fs::copy(folder.path().join(whole), &orphan).unwrap();
    std::fs::write(folder.path().join("_delta_log/.draft"), "half a line").unwrap();
    let mut archive = open(folder.path());
    let unnamed = archive.table().left_behind().unwrap();
    assert_eq!(
        unnamed.iter().map(|left| folder.path().join(&left.object.name)).collect::<Vec<_>>(),
        [folder.path().join("_delta_log/.draft"), orphan]
    );
    archive.add(PartitionId(0), &records(0, 10..21), "b", 2_000).unwrap();
    assert_eq!(events(&archive, 0), records(0, 1..21));
    let source = Source::open(&[folder.path().to_owned()]).unwrap();
    assert_eq!(source.rows(), 20, "a join reads what the log of the table names");
}

#[test]
fn a_table_that_needs_what_is_not_built_in_is_refused_and_not_read_wrongly() {
    let refused = |log: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("_delta_log")).unwrap();
        for (version, lines) in log.iter().enumerate() {
            std::fs::write(folder.path().join(format!("_delta_log/{version:020}.json")), lines).unwrap();
        }
        DeltaTable::open(folder.path()).unwrap_err().to_string()
    };
    let metadata = |more: &str| {
        format!(
            r#"{{"metaData":{{"id":"x","format":{{"provider":"parquet"}},"schemaString":"{{}}",{more}}}}}"#
        )
    };
    let vector = r#"{"add":{"path":"a.parquet","size":1,"modificationTime":1,"dataChange":true,"deletionVector":{"storageType":"u"}}}"#;
    for (log, words) in [
        (vector.to_owned(), "deletion vectors"),
        (metadata(r#""partitionColumns":["day"],"configuration":{}"#), "partition columns"),
        (
            metadata(r#""partitionColumns":[],"configuration":{"delta.columnMapping.mode":"name"}"#),
            "column mapping",
        ),
        (
            r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"]}}"#
                .into(),
            "newer protocol",
        ),
        ("{".into(), "line 1, is no action"),
    ] {
        let error = refused(&[&log]);
        assert!(error.contains(words), "{words}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("_delta_log")).unwrap();
    std::fs::write(folder.path().join("_delta_log/00000000000000000010.json"), "").unwrap();
    assert!(DeltaTable::open(folder.path()).unwrap_err().to_string().contains("checkpoint"));
}

#[test]
fn an_event_of_a_clock_that_is_ahead_did_not_happen_after_it_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    // Its time is in 2026, the log's in 1970.
    let mut early = records(0, 1..4);
    early.iter_mut().for_each(|record| record.log_ms = 5_000);
    archive.add(PartitionId(0), &early, "a", 2_000).unwrap();
    let columns = BTreeSet::from([
        "event_at",
        "known_at",
        "kind",
        "member",
        "partition",
        "payload",
        "position",
        "title",
    ]);
    let source = Source::open(&[folder.path().to_owned()]).unwrap();
    assert!(columns.is_subset(&source.columns().collect()), "{:?}", source.columns().collect::<Vec<_>>());
    let lookup = nearline_facts::Lookup {
        facts: vec![folder.path().to_owned()],
        what: nearline_facts::What::AsOf {
            at: jiff::Timestamp::from_second(5).unwrap(),
            order: nearline_facts::Order::EventTime,
        },
        columns: vec!["title".into()],
        output: None,
        threads: 1,
    };
    assert_eq!(
        lookup.run().unwrap().rows,
        2,
        "both members' events had happened by then; the third record is no event"
    );
}

#[test]
fn an_archive_whose_first_file_is_empty_by_erasure_is_whole_and_one_that_was_cut_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let of_one = |records: Vec<LogRecord>| -> Vec<LogRecord> {
        let payload = |id| {
            format!(r#"{{"id":"{id}","type":"play","member":"m1","title":"t","at":"2026-03-01T20:15:00Z"}}"#)
        };
        records
            .into_iter()
            .map(|record| LogRecord { payload: payload(record.position).into(), ..record })
            .collect()
    };
    archive.add(PartitionId(0), &of_one(records(0, 1..20)), "a", 2_000).unwrap();
    archive.add(PartitionId(0), &records(0, 20..40), "b", 2_000).unwrap();
    let mut number = 0;
    let mut name = || {
        number += 1;
        format!("e{number}")
    };
    let limits = archive.erasable(&["m1".into()], None).unwrap();
    assert!(archive.erase(&limits, &mut name, 3_000).unwrap().events >= 19);
    archive.check_whole(PartitionId(0)).unwrap();
    // Older than is kept are the first ones: the empty file must not speak for them.
    let ms = |number| records(0, std::iter::once(number))[0].log_ms;
    archive.add(PartitionId(0), &records(0, 40..60), "c", 4_000).unwrap();
    let keep = Tidying { keep_from_ms: Some(ms(40)), by_week: false, threads: 1, now_ms: ms(60) };
    assert_eq!(archive.tidy(&keep, &mut name).unwrap().old_files, 2);
    let refused = archive.check_whole(PartitionId(0)).unwrap_err().to_string();
    assert!(refused.contains("begin at position 157, not at 1"), "{refused}");
}

#[test]
fn who_asked_while_the_clock_was_ahead_and_came_back_since_keeps_what_came_since() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let mut all = records(0, 1..60);
    // Twenty hours ahead, for as long as it took to be put right.
    all[20].log_ms += 72_000_000;
    all[20].payload = r#"{"id":"f","type":"forget","member":"m1","at":"2026-03-02T16:00:00Z"}"#.into();
    let of_m1 = |record: &LogRecord| String::from_utf8_lossy(&record.payload).contains("\"m1\"");
    let limit = all[20].position;
    let stay: Vec<LogRecord> =
        all.iter().filter(|record| !of_m1(record) || record.position >= limit).cloned().collect();
    archive.add(PartitionId(0), &all, "a", 2_000).unwrap();
    let limits = archive.erasable(&[], Some(&FoldSettings::default())).unwrap();
    archive.erase(&limits, || "e".to_owned(), 3_000).unwrap();
    assert!(stay.iter().filter(|record| of_m1(record)).count() > 5);
    assert_eq!(events(&archive, 0), stay);
}

#[test]
fn a_forgotten_member_leaves_the_archive_files_and_all_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = open(folder.path());
    let mut first = records(0, 1..200);
    // A record that is no event, and names the member all the same.
    first[7].payload = r#"{"type":"unknown","member":"m1"}"#.into();
    let forget = |id: &str, at: &str| {
        format!(r#"{{"id":"{id}","type":"forget","member":"m1","at":"2026-03-01T{at}Z"}}"#)
    };
    let mut second = records(0, 200..400);
    second[50].payload = forget("f", "20:14:59").into();
    // Late, and of before: the fold lets it change nothing; the same `forget` once more erases nothing.
    let late = r#"{"id":"late","type":"play","member":"m1","title":"t1","at":"2026-03-01T20:14:58Z"}"#;
    second[60].payload = late.into();
    second[70].payload = forget("f", "20:14:59").into();
    archive.add(PartitionId(0), &first, "a", 2_000).unwrap();
    archive.add(PartitionId(0), &second, "b", 2_000).unwrap();
    let limit = second[50].position;
    let names = |record: &LogRecord| String::from_utf8_lossy(&record.payload).contains("\"m1\"");
    let all = [first, second].concat();
    let stay: Vec<LogRecord> = all
        .iter()
        .filter(|record| !names(record) || record.position >= limit && record.payload != late)
        .cloned()
        .collect();
    let before: Vec<_> = archive.table().files().map(|file| file.path.clone()).collect();

    let mut number = 0;
    let mut name = || {
        number += 1;
        format!("e{number}")
    };
    let settings = FoldSettings::default();
    let limits = archive.erasable(&[], Some(&settings)).unwrap();
    let erased = archive.erase(&limits, &mut name, 3_000).unwrap();
    assert_eq!((erased.members, erased.files, erased.deleted), (1, 2, 2));
    assert_eq!(erased.events, (all.len() - stay.len()) as u64);
    assert_eq!(
        events(&EventArchive::existing(folder.path()).unwrap(), 0),
        stay,
        "whoever came back after it stays, and that it was asked for"
    );
    assert_eq!(archive.erasable(&[], Some(&settings)).unwrap(), limits, "it can be erased elsewhere later");
    assert_eq!(archive.erase(&limits, &mut name, 3_500).unwrap().events, 0);
    for path in before {
        assert!(!folder.path().join(&path).exists(), "{path} is still there");
    }
    // The archiver goes on where it was.
    archive.add(PartitionId(0), &records(0, 400..410), "c", 4_000).unwrap();

    let limits = archive.erasable(&["m1".into(), "m2".into()], None).unwrap();
    let erased = archive.erase(&limits, &mut name, 5_000).unwrap();
    assert_eq!(erased.members, 2);
    let left = events(&archive, 0);
    assert!(!left.is_empty() && left.iter().all(|record| !names(record)));
    assert_eq!(archive.erasable(&[], Some(&settings)).unwrap().len(), 0, "nothing is left of it");
}
