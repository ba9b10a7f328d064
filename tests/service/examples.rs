//! The examples do what they say: they are the same files that `cargo run --example` runs.

#[path = "../../examples/backend.rs"]
#[allow(dead_code, reason = "its `main` is for `cargo run`")]
mod backend;
#[path = "../../examples/embed.rs"]
#[allow(dead_code, reason = "its `main` is for `cargo run`")]
mod embed;

use nearline_model::Position;
use nearline_model::{Event, EventKind, PartitionId};
use nearline_ports::contract::Fixture;
use nearline_ports::{DeadLetter, PortError};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod letters_in_files {
    use super::backend::directory;

    nearline_ports::contract_suite!(directory: dead_letters);
}

/// What the embedded engine offers; threads of the one before may hold the directory a moment longer.
fn offered(directory: &Path) -> Vec<String> {
    let started = Instant::now();
    loop {
        let asked = actix_rt::System::new().block_on(embed::what_ana_is_offered(directory));
        let is_open = |error: &anyhow::Error| {
            let why = error.downcast_ref::<PortError>().map(ToString::to_string).unwrap_or_default();
            why.contains("open already")
        };
        match asked {
            Err(error) if is_open(&error) && started.elapsed() < Duration::from_secs(20) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            asked => return asked.expect("an answer"),
        }
    }
}

#[test]
fn an_engine_inside_another_program_offers_what_others_watched_next_and_goes_on_from_there() {
    let directory = tempfile::tempdir().expect("a directory");
    for life in 1..=2 {
        assert_eq!(offered(directory.path()), ["Nosferatu", "Sunrise", "The General"], "in life {life}");
    }
}

#[tokio::test]
async fn letters_in_files_are_for_any_editor_and_a_damaged_one_is_named() {
    let fixture = backend::directory().await;
    let ports = fixture.ports().await;
    let letter = DeadLetter {
        partition: PartitionId(0),
        position: Position(7),
        log_ms: 1_772_323_200_000,
        reason: "malformed-json".into(),
        detail: "expected a value at line 1".into(),
        payload: "?".into(),
    };
    ports.dead_letters.put(vec![letter]).await.expect("put");
    let path = fixture.0.path().join("letters/00000000000000000007.letter.json");
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(text.contains(r#""reason": "malformed-json""#), "{text}");
    std::fs::write(&path, "{").expect("written");
    let error = ports.dead_letters.get(Position(7)).await.expect_err("it cannot be read").to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
}

#[test]
fn video_events_of_segment_become_events_that_are_valid() {
    let line = |event: &str, id: &str, user: &str, position: u32| {
        format!(
            r#"{{"type":"track","event":"{event}","messageId":"{id}","userId":"{user}","originalTimestamp":"2026-03-01T20:15:00.000Z","properties":{{"asset_id":"movie-9","total_length":5400,"position":{position}}}}}"#
        )
    };
    let lines = [
        line("Video Content Started", "ajs-next-1", "u7", 0),
        line("Video Content Playing", "ajs-next-2", "u7", 600),
        line("Video Content Completed", "ajs.next/3", "mail@example.org", 5_400),
        line("Video Ad Started", "ajs-next-4", "u7", 0),
        line("Video Content Started", "ajs-next-5", "", 0),
    ];
    let python = std::env::var("NEARLINE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/segment.py");
    let mut program = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    program.stdin.take().expect("piped").write_all(lines.join("\n").as_bytes()).expect("written");
    let output = program.wait_with_output().expect("it ends");
    let (said, left_out) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(left_out.starts_with("2 events left out"), "{left_out}");
    let events: Vec<Event<'_>> =
        said.lines().map(|line| Event::parse(line.as_bytes(), 65_536).expect("valid")).collect();
    let told: Vec<_> = events.iter().map(|event| (event.kind, &*event.title, event.watched_s)).collect();
    assert_eq!(told[0], (EventKind::Play, "movie-9", None));
    assert_eq!(told[1], (EventKind::Progress, "movie-9", Some(600.0)));
    assert_eq!(told[2], (EventKind::Progress, "movie-9", Some(5_400.0)));
    assert!(events[2].id.starts_with("h-") && events[2].member.starts_with("h-"), "{:?}", events[2]);
}
