//! `nearline-lab what-if`: an archived interval under other settings, beside those that served it.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use nearline_config::Config;
use nearline_facts::{ArchivedLog, EventArchive};
use nearline_lab::evaluate::prequential::{Options, run as prequential};
use nearline_lab::evaluate::replay::ReplaySettings;
use nearline_lab::evaluate::timed_event::TimedEvent;
use nearline_lab::what_if::{Answer, Question, Settings, run};
use nearline_model::identifier::{Blocks, partition_of, position_of};
use nearline_model::{LogRecord, PartitionId};

const PARTITIONS: u16 = 2;
/// Members, each of whom plays ten titles of one of two kinds, one after the other.
const MEMBERS: u64 = 60;
const BEGIN_MS: i64 = 1_772_000_000_000;

/// Before every second play the title is shown; every title is played a minute after the one before it.
fn events() -> Vec<TimedEvent> {
    let mut events = Vec::new();
    for step in 0..10 {
        for member in 0..MEMBERS {
            let number = step * MEMBERS + member;
            let at_ms = BEGIN_MS + number as i64 * 60_000;
            let title =
                format!("{}{}", if member.is_multiple_of(2) { "a" } else { "b" }, (step + member / 2) % 12);
            let event = |kind: &str, at_ms: i64| {
                let at = nearline_model::timestamp::format_rfc3339(at_ms);
                let payload = format!(
                    r#"{{"id":"{kind}{number}","type":"{kind}","member":"m{member}","title":"{title}","at":"{at}"}}"#
                );
                TimedEvent { at_ms, payload: payload.into() }
            };
            if number.is_multiple_of(2) {
                events.push(event("impression", at_ms - 30_000));
            }
            events.push(event("play", at_ms));
        }
    }
    events
}

/// An archive of the events, with one record that is none.
fn archive(folder: &Path, events: &[TimedEvent]) {
    let mut archive = EventArchive::open(
        folder,
        ArchivedLog { identity: "log", partitions: PARTITIONS, blocks: Blocks::default() },
        "test",
        0,
    )
    .unwrap();
    let mut records: [Vec<LogRecord>; PARTITIONS as usize] = [Vec::new(), Vec::new()];
    for event in events {
        let fields: serde_json::Value = serde_json::from_slice(&event.payload).unwrap();
        let partition = partition_of(fields["member"].as_str().unwrap(), PARTITIONS);
        let records = &mut records[usize::from(partition.0)];
        let position = position_of(records.len() as u64 + 1, partition, PARTITIONS);
        records.push(LogRecord { position, log_ms: event.at_ms, payload: event.payload.clone() });
    }
    let position = position_of(records[0].len() as u64 + 1, PartitionId(0), PARTITIONS);
    records[0].push(LogRecord { position, log_ms: BEGIN_MS + 1_000_000_000, payload: "no event".into() });
    for (partition, records) in records.iter().enumerate() {
        archive.add(PartitionId(partition as u16), records, "test", 0).unwrap();
    }
}

fn settings() -> Settings {
    let config = Config::load(None, std::iter::empty()).unwrap();
    let replay = ReplaySettings {
        fold: config.fold.clone(),
        aggregates: config.aggregates.clone(),
        ranking: config.ranking,
        solved_titles: config.engine.solved_titles,
    };
    Settings { replay, exploration_floor: config.artwork.exploration_floor }
}

fn question(other: Settings) -> Question {
    let from_ms = Some(BEGIN_MS + 400 * 60_000);
    let to_ms = BEGIN_MS + 550 * 60_000;
    Question { from_ms, to_ms, k: 5, served: settings(), other, members: vec!["m0".into(), "m1".into()] }
}

fn ask(folder: &Path, question: &Question) -> anyhow::Result<Answer> {
    run(folder, &[], question, &|_, _, _| {})
}

#[test]
fn the_same_settings_give_the_same_lists_and_those_of_an_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let events = events();
    archive(folder.path(), &events);
    let question = question(settings());
    let answer = ask(folder.path(), &question).unwrap();
    let known: Vec<TimedEvent> = events.into_iter().filter(|event| event.at_ms < question.to_ms).collect();
    let before = known.iter().filter(|event| event.at_ms < question.from_ms.unwrap()).count();
    assert_eq!((answer.events_before, answer.events_within), (before, known.len() - before));
    let compared = &answer.compared;
    assert_eq!((compared.queries, compared.unpaired, answer.left_out), (150, 0, 0));
    assert_eq!((compared.lists_alike, compared.titles_alike), (1.0, 1.0));
    assert_eq!((compared.hit_rate.difference, compared.hit_rate.standard_error), (0.0, 0.0));
    let options = Options {
        train_fraction: before as f64 / known.len() as f64,
        k: question.k,
        settings: question.served.replay.clone(),
        explore: false,
    };
    let evaluated = prequential(&known, Vec::new(), options, |_| {}).unwrap();
    assert_eq!(evaluated.outcomes, answer.replays[0].outcomes);
    assert!((evaluated.own().hit_rate - compared.hit_rate.served).abs() < 1e-12);
    assert!(compared.hit_rate.served > 0.5, "{compared:?}");
    // Every second play was of a title that had just been shown; members come back after an hour.
    assert_eq!((answer.shown.plays, answer.shown.of_shown), (150, 75));
    assert!(answer.artwork.is_none(), "no artwork was chosen");
}

#[test]
fn other_settings_give_other_lists_and_the_difference_is_that_of_the_rates() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path(), &events());
    let mut other = settings();
    // What is popular leads, whatever was watched.
    other.replay.ranking.learn = false;
    other.replay.ranking.popularity_weight = 1_000_000.0;
    let answer = ask(folder.path(), &question(other.clone())).unwrap();
    let compared = &answer.compared;
    assert!(compared.titles_alike < 0.9 && compared.lists_alike < 0.5, "{compared:?}");
    assert!(compared.hit_rate.other < compared.hit_rate.served, "{compared:?}");
    let rates = compared.hit_rate;
    assert!((rates.other - rates.served - rates.difference).abs() < 1e-12 && rates.standard_error > 0.0);
    let members: Vec<&str> = answer.pages.iter().map(|page| page.member.as_str()).collect();
    assert_eq!(members, ["m0", "m1"]);
    assert!(answer.pages.iter().all(|page| page.served.len() == 2 || page.served.len() == 5));
    assert_ne!(answer.pages[0].served, answer.pages[0].other);
    let again = ask(folder.path(), &question(other)).unwrap();
    assert_eq!((again.compared, again.pages), (answer.compared, answer.pages), "the same in every run");
}

#[test]
fn an_interval_without_events_is_refused_and_what_is_no_event_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    archive(folder.path(), &events());
    let mut asked = question(settings());
    (asked.from_ms, asked.to_ms) = (Some(BEGIN_MS - 10), BEGIN_MS - 9);
    let said = ask(folder.path(), &asked).err().unwrap().to_string();
    assert!(said.contains("none in it"), "{said}");
    (asked.from_ms, asked.to_ms) = (None, i64::MAX);
    let answer = ask(folder.path(), &asked).unwrap();
    assert_eq!((answer.left_out, answer.events_before, answer.events_within), (1, 720, 180));
}

#[test]
fn the_command_holds_two_configurations_side_by_side_and_refuses_two_that_are_one() {
    let folder = tempfile::tempdir().unwrap();
    archive(&folder.path().join("archive"), &events());
    let other = folder.path().join("other.toml");
    let command = |text: &str, more: &[&str]| {
        std::fs::write(&other, text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
            .args(["what-if", "--archive"])
            .arg(folder.path().join("archive"))
            .arg("--other")
            .arg(&other)
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, said) = command("", &[]);
    assert!(code == Some(1) && said.contains("says what the configuration says already"), "{said}");
    let popular = "[ranking]\nlearn = false\npopularity_weight = 1.0\n";
    let (code, told, said) = command(popular, &["--members", "m0", "--k", "5"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["hit rate@5", "as served", "titles seen: 6–20", "\nm0\n", "1 records are no events"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let (_, told, _) = command(popular, &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&report["evaluation"], &report["left_out"]), (&"what-if".into(), &1.into()));
    assert!(report["compared"]["lists_alike"].as_f64().unwrap() < 1.0, "{report}");
}
