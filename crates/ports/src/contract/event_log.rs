//! What every `EventLog` promises.

use super::{Fixture, append, event, members_of, read, soon};
use crate::publish::{Published, publish};
use crate::{Appended, LogBounds, NewEvent, Ports};
use bytes::Bytes;
use nearline_model::Position;
use nearline_model::identifier::{Blocks, partition_of, position_of, sequence_of};
use nearline_model::{LogRecord, PartitionId};
use std::time::Duration;

const P0: PartitionId = PartitionId(0);

/// Appends `count` events of members of one partition, with ids from `prefix`.
async fn fill(ports: &Ports, partition: PartitionId, prefix: &str, count: usize) -> Vec<Appended> {
    let members = members_of(partition, ports.log.partitions(), 5);
    let events = (0..count).map(|n| event(&members[n % 5], &format!("{prefix}{n}"))).collect();
    append(ports, events).await
}

fn positions(records: &[LogRecord]) -> Vec<Position> {
    records.iter().map(|record| record.position).collect()
}

pub async fn an_append_gives_growing_positions_in_the_members_partition(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let members: Vec<String> = (0..200).map(|n| format!("member-{n}")).collect();
    let events = members.iter().map(|member| event(member, &format!("id-{member}"))).collect();
    let outcomes = append(&ports, events).await;
    assert_eq!(outcomes.len(), 200);
    let (partitions, blocks) = (ports.log.partitions(), ports.log.blocks());
    let mut last = vec![0; usize::from(partitions)];
    for (member, outcome) in members.iter().zip(&outcomes) {
        assert_eq!(outcome.partition, partition_of(member, partitions), "{member}");
        assert!(!outcome.duplicate);
        let number = sequence_of(outcome.position, outcome.partition, partitions).expect("the partition's");
        let last = &mut last[usize::from(outcome.partition.0)];
        assert!(blocks.follows(*last, number), "{number} after {last}: dense, message by message");
        *last = number;
    }
    assert!(last.iter().all(|number| blocks.is_last(*number)), "messages end where it is known");
}

pub async fn a_duplicate_is_reported_with_the_first_position_and_stored_once(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let first = fill(&ports, P0, "id", 3).await;
    let again = fill(&ports, P0, "id", 3).await;
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(*again, Appended { duplicate: true, ..*first });
    }
    // With others beside them they are another block, which a log that has blocks takes as it is.
    let more = fill(&ports, P0, "id", 4).await;
    let is_told = ports.log.blocks() == Blocks::default();
    for (first, again) in first.iter().zip(&more).filter(|_| is_told) {
        assert_eq!(*again, Appended { duplicate: true, ..*first });
    }
    assert!(!more[3].duplicate);
    let stored = first.iter().chain(more.iter().filter(|outcome| !outcome.duplicate));
    let expected: Vec<Position> = stored.map(|outcome| outcome.position).collect();
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let records = read(reader.as_mut(), expected.len(), 100).await;
    assert_eq!(positions(&records), expected);
}

pub async fn a_duplicate_within_one_append_is_stored_once(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let member = &members_of(P0, ports.log.partitions(), 1)[0];
    let events = vec![event(member, "x"), event(member, "x"), event(member, "y")];
    let outcomes = append(&ports, events).await;
    assert!(!outcomes[0].duplicate && outcomes[1].duplicate && !outcomes[2].duplicate, "{outcomes:?}");
    assert_eq!(outcomes[0].position, outcomes[1].position);
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let records = read(reader.as_mut(), 2, 100).await;
    assert_eq!(positions(&records), [outcomes[0].position, outcomes[2].position]);
}

pub async fn a_duplicate_is_known_after_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let first = fill(&ports, PartitionId(1), "id", 50).await;
    drop(ports);
    let ports = fixture.ports().await;
    let again = fill(&ports, PartitionId(1), "id", 50).await;
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(*again, Appended { duplicate: true, ..*first });
    }
}

pub async fn a_reader_from_the_beginning_gets_everything_in_order(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let (mut appended, mut other) = (Vec::new(), Vec::new());
    for round in 0..10 {
        appended.extend(fill(&ports, P0, &format!("a{round}-"), 100).await);
        other.extend(fill(&ports, PartitionId(1), &format!("b{round}-"), 7).await);
    }
    for (partition, appended) in [(P0, appended), (PartitionId(1), other)] {
        let mut reader = ports.log.open_reader(partition, Position::START).await.expect("a reader");
        let records = read(reader.as_mut(), appended.len(), 64).await;
        let expected: Vec<Position> = appended.iter().map(|outcome| outcome.position).collect();
        assert_eq!(positions(&records), expected);
    }
}

pub async fn a_reader_from_the_middle_gets_what_follows(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let appended = fill(&ports, P0, "id", 100).await;
    for at in [0, 1, 49, 98] {
        let mut reader = ports.log.open_reader(P0, appended[at].position).await.expect("a reader");
        let records = read(reader.as_mut(), 99 - at, 1_000).await;
        let expected: Vec<Position> = appended[at + 1..].iter().map(|outcome| outcome.position).collect();
        assert_eq!(positions(&records), expected, "after number {at}");
    }
}

pub async fn a_reader_waits_for_new_records(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let first = fill(&ports, P0, "first", 1).await;
    let mut reader = ports.log.open_reader(P0, first[0].position).await.expect("a reader");
    fill(&ports, PartitionId(1), "elsewhere", 1).await;
    let early = tokio::time::timeout(Duration::from_millis(100), reader.next_batch(10)).await;
    assert!(early.is_err(), "there is nothing new, yet: {early:?}");
    for round in 0..20 {
        let appended = fill(&ports, P0, &format!("round{round}-"), 1).await;
        let records = read(reader.as_mut(), 1, 10).await;
        assert_eq!(positions(&records), [appended[0].position]);
    }
}

pub async fn a_reader_never_gets_more_than_it_asked_for(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let appended = fill(&ports, P0, "id", 10).await;
    for max_records in [1, 3, 10] {
        let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
        let records = read(reader.as_mut(), 10, max_records).await;
        assert_eq!(records.last().expect("records").position, appended[9].position);
        assert_eq!(records.len(), 10);
    }
}

pub async fn a_cancelled_read_loses_nothing(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let appender = {
        let ports = ports.clone();
        tokio::spawn(async move {
            let mut appended = Vec::new();
            for round in 0..100 {
                appended.extend(fill(&ports, P0, &format!("r{round}-"), 5).await);
            }
            appended
        })
    };
    let records = soon("all records", async {
        let (mut records, mut patience_us) = (Vec::new(), 0);
        while records.len() < 500 {
            // Cut off at many different moments; now and then with time enough to get something.
            patience_us = (patience_us + 37) % 3_000;
            let patience = Duration::from_micros(patience_us);
            if let Ok(batch) = tokio::time::timeout(patience, reader.next_batch(3)).await {
                records.extend(batch.expect("a batch"));
            }
        }
        records
    })
    .await;
    let appended = appender.await.expect("the appender ends");
    let expected: Vec<Position> = appended.iter().map(|outcome| outcome.position).collect();
    assert_eq!(positions(&records), expected);
}

pub async fn many_readers_and_appenders_see_the_same_order(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let partitions = ports.log.partitions().min(4);
    let appenders: Vec<_> = (0..4)
        .map(|appender| {
            let ports = ports.clone();
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for round in 0..20 {
                    let partition = PartitionId((appender + round) % partitions);
                    outcomes.extend(fill(&ports, partition, &format!("a{appender}r{round}-"), 25).await);
                }
                outcomes
            })
        })
        .collect();
    let readers: Vec<_> = (0..partitions * 3)
        .map(|reader| {
            let ports = ports.clone();
            tokio::spawn(async move {
                let partition = PartitionId(reader % partitions);
                let mut reader = ports.log.open_reader(partition, Position::START).await.expect("a reader");
                let count = 4 * 20 * 25 / usize::from(partitions);
                (partition, positions(&read(reader.as_mut(), count, 40).await))
            })
        })
        .collect();
    let mut expected = vec![Vec::new(); usize::from(partitions)];
    for appender in appenders {
        for outcome in appender.await.expect("the appender ends") {
            expected[usize::from(outcome.partition.0)].push(outcome.position);
        }
    }
    expected.iter_mut().for_each(|positions| positions.sort_unstable());
    for reader in readers {
        let (partition, positions) = reader.await.expect("the reader ends");
        assert_eq!(positions, expected[usize::from(partition.0)], "{partition}");
    }
}

pub async fn log_time_does_not_run_backwards(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    for round in 0..10 {
        fill(&ports, P0, &format!("r{round}-"), 10).await;
    }
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let records = read(reader.as_mut(), 100, 100).await;
    assert!(records.windows(2).all(|pair| pair[0].log_ms <= pair[1].log_ms));
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let age_ms = now_ms.as_millis() as i64 - records[0].log_ms;
    assert!((-5_000..=120_000).contains(&age_ms), "log time is off by {age_ms} ms");
}

pub async fn payloads_come_back_byte_for_byte(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let member = members_of(P0, ports.log.partitions(), 1).remove(0);
    let payloads: Vec<Bytes> = [&b""[..], b"\0\xff\xfe", b"{\"title\":\"caf\xc3\xa9\"}", &[b'x'; 60_000]]
        .into_iter()
        .map(Bytes::copy_from_slice)
        .collect();
    let events = payloads.iter().enumerate().map(|(n, payload)| NewEvent {
        member: member.clone(),
        id: format!("id{n}"),
        payload: payload.clone(),
    });
    append(&ports, events.collect()).await;
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let records = read(reader.as_mut(), payloads.len(), 10).await;
    assert!(records.iter().map(|record| &record.payload).eq(&payloads));
}

pub async fn bounds_name_the_first_and_last_record(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert_eq!(
        ports.log.bounds(P0).await.expect("bounds"),
        LogBounds { first: Position::START, last: Position::START }
    );
    fill(&ports, PartitionId(1), "elsewhere", 3).await;
    assert_eq!(
        ports.log.bounds(P0).await.expect("bounds"),
        LogBounds { first: Position::START, last: Position::START }
    );
    let appended = fill(&ports, P0, "id", 5).await;
    let begins = position_of(1, P0, ports.log.partitions());
    let expected = LogBounds { first: begins, last: appended[4].position };
    assert!(begins <= appended[0].position && appended[0].position <= appended[4].position);
    assert_eq!(ports.log.bounds(P0).await.expect("bounds"), expected);
    drop(ports);
    assert_eq!(fixture.ports().await.log.bounds(P0).await.expect("bounds"), expected);
}

pub async fn records_survive_reopening(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let mut appended = fill(&ports, P0, "first", 300).await;
    drop(ports);
    let ports = fixture.ports().await;
    appended.extend(fill(&ports, P0, "second", 300).await);
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let records = read(reader.as_mut(), 600, 256).await;
    let expected: Vec<Position> = appended.iter().map(|outcome| outcome.position).collect();
    assert_eq!(positions(&records), expected);
    assert!(expected.is_sorted());
}

pub async fn an_empty_append_is_answered(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    assert!(append(&ports, Vec::new()).await.is_empty());
}

pub async fn an_id_is_matched_among_its_members_own(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let members = members_of(P0, ports.log.partitions(), 3);
    let outcomes = append(&ports, members.iter().map(|member| event(member, "same")).collect()).await;
    assert!(outcomes.iter().all(|outcome| !outcome.duplicate), "{outcomes:?}");
    let again = append(&ports, members.iter().map(|member| event(member, "same")).collect()).await;
    for (first, again) in outcomes.iter().zip(&again) {
        assert_eq!(*again, Appended { duplicate: true, ..*first });
    }
}

pub async fn a_record_is_found_by_its_position(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let appended = fill(&ports, P0, "id", 300).await;
    let mut reader = ports.log.open_reader(P0, Position::START).await.expect("a reader");
    let records = read(reader.as_mut(), 300, 100).await;
    for (appended, record) in appended.iter().zip(&records).step_by(37) {
        let found = ports.log.record(P0, appended.position).await.expect("found");
        assert_eq!(found.as_ref().map(LogRecord::mark), Some(record.mark()));
        assert_eq!(found.as_ref(), Some(record));
    }
    for nowhere in [
        Position::START,
        appended[299].position.next(),
        appended[299].position.further(u64::from(ports.log.partitions())),
    ] {
        assert_eq!(ports.log.record(P0, nowhere).await.expect("asked"), None, "{nowhere}");
    }
}

pub async fn an_identity_is_kept(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let identity = ports.log.identity().to_owned();
    assert!(!identity.is_empty());
    drop(ports);
    assert_eq!(fixture.ports().await.log.identity(), identity);
}

pub async fn an_event_of_a_known_id_with_other_content_is_a_conflict(fixture: &dyn Fixture) {
    let ports = fixture.ports().await;
    let event = |title: &str, rest: &str| {
        let at = "2026-03-01T20:15:00Z";
        Bytes::from(format!(
            r#"{{"id":"e1","type":"play","member":"ana","title":"{title}","at":"{at}"{rest}}}"#
        ))
    };
    let reordered =
        r#"{"at":"2026-03-01T20:15:00Z", "title":"t1","member":"ana","type":"play","id":"e1"}"#.into();
    let payloads =
        vec![event("t1", ""), event("t1", ""), event("t2", ""), reordered, event("t1", r#","x":1"#)];
    let published = soon("an answer", publish(&*ports.log, payloads, 65_536)).await;
    let names: Vec<_> = published.iter().map(Published::name).collect();
    assert_eq!(names, ["accepted", "duplicate", "conflict", "duplicate", "conflict"]);
}
