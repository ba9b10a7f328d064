//! A running engine is archived over its operators' listener: the same tables as of its directory, and one log alone.

#![allow(clippy::unwrap_used)]

use nearline_model::Position;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use nearline_config::{Config, open_ports};
use nearline_facts::EventArchive;
use nearline_lab::archive::{ArchiveJob, FactJob, Source, archive, archive_facts};
use nearline_model::facts::CaptureSettings;
use nearline_model::{FoldSettings, LogRecord, MemberFacts, PartitionId};
use nearline_ports::{NewEvent, Ports, page};

/// Answers as the operators' listener does (`src/http/admin_log.rs`), one request a connection.
fn serve(ports: Ports) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = lines.next().unwrap().unwrap();
            let keyed = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .any(|line| line.eq_ignore_ascii_case("authorization: bearer nl_admin"));
            let path = line.split(' ').nth(1).unwrap();
            let (status, body) = match keyed {
                true => runtime.block_on(answer(&ports, path)),
                false => {
                    ("401 Unauthorized", br#"{"type":"/problems/key-missing","detail":"no key"}"#.to_vec())
                }
            };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        }
    });
    address
}

async fn answer(ports: &Ports, target: &str) -> (&'static str, Vec<u8>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameter = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if parameter("log").is_some_and(|log| log != ports.log.identity()) {
        return (
            "409 Conflict",
            br#"{"type":"/problems/other-log","detail":"another log is meant"}"#.to_vec(),
        );
    }
    let number = |name| parameter(name).unwrap_or("0").parse::<u64>().unwrap();
    let limit = number("limit") as usize;
    let parts: Vec<&str> = path.split('/').skip(2).collect();
    let partition = |text: &str| PartitionId(text.parse().unwrap());
    let body = match parts[..] {
        ["log"] => serde_json::to_vec(&page::holdings(&*ports.log, &*ports.facts).await.unwrap()).unwrap(),
        ["log", at] => {
            // Small pages, so that there are several.
            let records =
                page::records(&*ports.log, partition(at), Position(number("after")), limit.min(37)).await;
            page::encode_records(&records.unwrap())
        }
        ["log", at, position] => {
            let record = ports.log.record(partition(at), position.parse().unwrap()).await.unwrap();
            page::encode_records(record.as_slice())
        }
        ["facts"] => {
            page::encode_facts(page::facts(&*ports.facts, number("after"), limit.min(3)).await.unwrap())
        }
        _ => return ("404 Not Found", b"{}".to_vec()),
    };
    ("200 OK", body)
}

async fn open(folder: &Path) -> Ports {
    let environment = [
        ("NEARLINE__EMBEDDED__DIRECTORY".to_owned(), folder.display().to_string()),
        ("NEARLINE__ENGINE__PARTITIONS".to_owned(), "3".to_owned()),
    ];
    open_ports(&Config::load(None, environment.into_iter()).unwrap()).await.unwrap()
}

async fn publish(ports: &Ports, numbers: std::ops::Range<u32>) {
    let event = |number: u32| {
        let member = format!("m{}", number % 7);
        let payload = format!(
            r#"{{"id":"e{number}","type":"play","member":"{member}","title":"t{}","at":"2026-03-01T20:15:00Z"}}"#,
            number % 11
        );
        NewEvent { member, id: format!("e{number}"), payload: payload.into() }
    };
    for appended in ports.log.append(numbers.map(event).collect()).await {
        appended.unwrap();
    }
}

fn events(folder: &Path) -> Vec<Vec<LogRecord>> {
    let archive = EventArchive::existing(folder).unwrap();
    let of = |partition| archive.events(PartitionId(partition)).flat_map(Result::unwrap).collect();
    (0..archive.partitions()).map(of).collect()
}

fn job(to: &Path) -> ArchiveJob {
    ArchiveJob { to: to.into(), partitions: Vec::new(), file_events: 64 }
}

#[tokio::test]
async fn a_running_engine_is_archived_as_its_directory_would_be_and_a_later_run_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open(&folder.path().join("data")).await;
    let url = format!("http://{}", serve(ports.clone()));
    let running = Source::running(&url, Some("nl_admin")).await.unwrap();
    publish(&ports, 0..500).await;
    let (over, beside) = (folder.path().join("over"), folder.path().join("beside"));
    assert_eq!(archive(&running, &job(&over)).await.unwrap().events, 500);
    publish(&ports, 500..700).await;
    assert_eq!(archive(&running, &job(&over)).await.unwrap().events, 200);
    archive(&Source::from(&ports), &job(&beside)).await.unwrap();
    assert_eq!(events(&over), events(&beside));

    // Facts up to where the stream was when the events began to be archived; the rest is for the next run.
    let part = |after, position| MemberFacts {
        partition: PartitionId(0),
        after,
        position,
        mark: None,
        facts: Vec::new(),
    };
    for number in 0..9 {
        ports.facts.put(part(Position(1 + number * 3), Position(4 + number * 3))).await.unwrap();
    }
    let fact_job = FactJob {
        events: (&over).into(),
        to: (&folder.path().join("facts")).into(),
        up_to: running.facts.last().await.unwrap(),
        file_facts: 10,
        fold: FoldSettings::default(),
        capture: CaptureSettings::default(),
    };
    ports.facts.put(part(Position(28), Position(31))).await.unwrap();
    let report = archive_facts(&running, &fact_job).await.unwrap();
    assert_eq!((report.made_again, &report.notes[..]), (1, &[][..]), "{report:?}");
    let table =
        nearline_facts::delta::DeltaTable::open(&folder.path().join("facts/members")).unwrap().unwrap();
    assert_eq!(table.transaction("nearline-facts-p00000"), Some(28));
}

#[tokio::test]
async fn what_is_no_listener_of_operators_and_another_log_are_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let ports = open(&folder.path().join("data")).await;
    publish(&ports, 0..50).await;
    let url = format!("http://{}", serve(ports));
    let said = async |url: &str, key| Source::running(url, key).await.map(|_| ()).unwrap_err().to_string();
    assert!(said(&url, None).await.contains("NEARLINE_KEY"));
    assert!(said(&format!("{url}/elsewhere"), Some("nl_admin")).await.contains("operators' listener"));
    assert!(said("127.0.0.1:7701", None).await.contains("http://127.0.0.1:7701"));

    let running = Source::running(&url, Some("nl_admin")).await.unwrap();
    let event = NewEvent { member: "m".into(), id: "e".into(), payload: "{}".into() };
    assert!(running.log.append(vec![event]).await[0].is_err(), "nothing is written this way");
    let to = folder.path().join("archive");
    archive(&running, &job(&to)).await.unwrap();
    let other = open(&folder.path().join("other")).await;
    let other = Source::running(&format!("http://{}", serve(other)), Some("nl_admin")).await.unwrap();
    let error = format!("{:#}", archive(&other, &job(&to)).await.unwrap_err());
    assert!(error.contains("archive of the log"), "{error}");
}
