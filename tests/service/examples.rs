//! The examples do what they say: they are the same files that `cargo run --example` runs.

#[path = "../../examples/backend.rs"]
#[allow(dead_code, reason = "its `main` is for `cargo run`")]
mod backend;
#[path = "../../examples/embed.rs"]
#[allow(dead_code, reason = "its `main` is for `cargo run`")]
mod embed;

use nearline_model::PartitionId;
use nearline_ports::contract::Fixture;
use nearline_ports::{DeadLetter, PortError};
use std::path::Path;
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
        position: 7,
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
    let error = ports.dead_letters.get(7).await.expect_err("it cannot be read").to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
}
