//! The log and the facts of a running engine, read over its operators' listener as an archiver does.

use crate::running::Service;
use nearline_model::Position;
use nearline_model::{LogRecord, PartitionId};
use nearline_ports::{EventLog, FactStream, NewEvent, Ports, StreamedFacts, page};
use serde_json::{Value, json};

async fn publish(ports: &Ports, numbers: std::ops::Range<u32>) {
    let event = |number: u32| {
        let member = format!("m{}", number % 23);
        let event = json!({
            "id": format!("e{number}"), "type": "play", "member": member, "title": format!("t{}", number % 31),
            "at": "2026-03-01T20:15:00Z",
        });
        // What is no event, and no text, is in the log, too.
        let payload =
            if number.is_multiple_of(17) { b"\xff\x00".to_vec() } else { event.to_string().into_bytes() };
        NewEvent { member, id: format!("e{number}"), payload: payload.into() }
    };
    for appended in ports.log.append(numbers.map(event).collect()).await {
        appended.expect("it is appended");
    }
}

fn bytes(service: &Service, path: &str) -> Vec<u8> {
    let mut answer = ureq::get(format!("http://{}{path}", service.admin)).call().expect("it answers");
    answer.body_mut().read_to_vec().expect("a page")
}

/// All records of each partition that there are now, by pages of so many.
fn all_records(service: &Service, limit: usize) -> Vec<Vec<LogRecord>> {
    let holdings = service.ask(service.admin, "/admin/log").json();
    let (log, count) =
        (holdings["log"].as_str().expect("its log"), holdings["partitions"].as_array().map_or(0, Vec::len));
    let of = |partition: usize| {
        let mut records: Vec<LogRecord> = Vec::new();
        loop {
            let after = records.last().map_or(Position::START, |record| record.position);
            let path = format!("/admin/log/{partition}?log={log}&after={after}&limit={limit}");
            let page = page::decode_records(&bytes(service, &path).into()).expect("a page");
            assert!(page.len() <= limit, "{} records for {limit}", page.len());
            if page.is_empty() {
                return records;
            }
            records.extend(page);
        }
    };
    (0..count).map(of).collect()
}

async fn held_records(log: &dyn EventLog) -> Vec<Vec<LogRecord>> {
    let mut all = Vec::new();
    for partition in (0..log.partitions()).map(PartitionId) {
        let last = log.bounds(partition).await.expect("bounds").last;
        let mut reader = log.open_reader(partition, Position::START).await.expect("a reader");
        let mut records: Vec<LogRecord> = Vec::new();
        while records.last().map_or(Position::START, |record| record.position) < last {
            records.extend(reader.next_batch(1_000).await.expect("records"));
        }
        all.push(records);
    }
    all
}

async fn held_facts(facts: &dyn FactStream) -> Vec<StreamedFacts> {
    let mut all: Vec<StreamedFacts> = Vec::new();
    loop {
        let after = all.last().map_or(0, |entry| entry.sequence);
        let entries = facts.read(after, 64).await.expect("facts");
        if entries.is_empty() {
            return all;
        }
        all.extend(entries);
    }
}

#[test]
fn what_is_read_of_a_running_engine_is_what_it_holds_while_events_come() {
    let service = Service::start_with(|config| config.facts.capture = true, |ports| ports);
    let ports = service.ports.clone();
    assert_eq!(all_records(&service, 100), vec![Vec::new(); 4]);
    let publish = |numbers| actix_rt::System::new().block_on(publish(&ports, numbers));
    publish(0..2_000);
    // Events come while it is read; the pages follow one another.
    let early = std::thread::scope(|scope| {
        scope.spawn(|| publish(2_000..12_000));
        all_records(&service, 700)
    });
    let held = actix_rt::System::new().block_on(held_records(&*ports.log));
    assert_eq!(held.iter().map(Vec::len).sum::<usize>(), 12_000);
    assert!(early.iter().map(Vec::len).sum::<usize>() >= 2_000);
    for (early, held) in early.iter().zip(&held) {
        assert_eq!(early[..], held[..early.len()]);
    }
    assert_eq!(all_records(&service, 10_000), held);
    let record = &held[2][5];
    let one = |position: Position| {
        page::decode_records(&bytes(&service, &format!("/admin/log/2/{position}")).into()).expect("a page")
    };
    assert_eq!(one(record.position), std::slice::from_ref(record));
    assert_eq!(one(held[2].last().expect("some").position.further(4)), []);

    service.until("all is folded", || {
        let partitions = service.ask(service.admin, "/admin/partitions").json();
        partitions.as_array().expect("a list").iter().all(|partition| partition["lag"] == 0).then_some(())
    });
    let holdings = service.ask(service.admin, "/admin/log").json();
    let mut read: Vec<StreamedFacts> = Vec::new();
    let stream = holdings["facts"].as_str().expect("its stream");
    // More may have come since: what is folded is committed a moment later.
    let last = holdings["last_fact"].as_u64().expect("the last of the stream");
    while read.last().map_or(0, |entry| entry.sequence) < last {
        let after = read.last().map_or(0, |entry| entry.sequence);
        let page = bytes(&service, &format!("/admin/facts?stream={stream}&after={after}&limit=7"));
        read.extend(page::decode_facts(&page).expect("a page").into_iter().take(1 + read.len() % 7));
    }
    let held = actix_rt::System::new().block_on(held_facts(&*ports.facts));
    assert!(!read.is_empty());
    assert_eq!(read[..], held[..read.len()]);
}

#[test]
fn positions_of_another_log_and_beyond_its_end_are_refused() {
    let service = Service::start();
    let empty = service.ask(service.admin, "/admin/log").json();
    assert_eq!(empty["partitions"], Value::from(vec![vec![0, 0]; 4]), "{empty}");
    for (path, status, kind) in [
        ("/admin/log/0?log=another", 409, "/problems/other-log"),
        ("/admin/log/0/1?log=another", 409, "/problems/other-log"),
        ("/admin/facts?stream=another", 409, "/problems/other-log"),
        ("/admin/log/0?after=401", 500, "/problems/log-damaged"),
        ("/admin/log/4", 400, "/problems/invalid-id"),
        ("/admin/log/0/first", 400, "/problems/invalid-id"),
        ("/admin/log/0?limit=10001", 400, "/problems/invalid-parameter"),
        ("/admin/log/0?after=-1", 400, "/problems/invalid-parameter"),
    ] {
        let reply = service.ask(service.admin, path);
        assert_eq!((reply.status, &reply.json()["type"]), (status, &json!(kind)), "{path}: {}", reply.text);
    }
    assert_eq!(service.ask(service.http, "/admin/log").status, 404, "it is for operators");
}
