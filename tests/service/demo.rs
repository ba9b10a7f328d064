//! The commands that a newcomer runs, as they run them.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in `directory` with an embedded backend of its own.
fn nearline(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nearline"))
        .args(arguments)
        .current_dir(directory)
        .env("NEARLINE__LOG__LEVEL", "warn")
        .output()
        .expect("the program starts")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}\n{}", out(output), err(output));
}

#[test]
fn the_demo_stops_by_itself_with_a_summary_and_its_data_verifies() {
    let directory = tempfile::tempdir().expect("directory");
    let arguments =
        ["demo", "--seconds", "3", "--data", "data", "--port", "0", "--warm-up", "3000", "--members", "300"];
    let output = nearline(directory.path(), &arguments);
    assert_done(&output);
    let shown = out(&output);
    for expected in
        ["curl 'http://127.0.0.1:", "trending:", "events published", "p99", "played from the top 10"]
    {
        assert!(shown.contains(expected), "{expected:?} is missing in:\n{shown}");
    }
    let config = directory.path().join("demo.toml");
    std::fs::write(&config, "[embedded]\ndirectory = \"data\"\n").expect("written");
    let inspect = |what: &[&str]| {
        let output = nearline(directory.path(), &[&["--config", "demo.toml", "inspect"], what].concat());
        assert_done(&output);
        serde_json::from_str::<Value>(&out(&output)).expect("JSON")
    };
    let partition = inspect(&["partition", "0", "--verify", "--json"]);
    assert_eq!(partition["verified"]["mismatches"], Value::Array(Vec::new()));
    assert!(partition["verified"]["events"].as_u64() > Some(0), "{partition}");
    // Run again, the audience goes on: it plays what it has not seen.
    let again = nearline(directory.path(), &arguments);
    assert_done(&again);
    let hits = out(&again).lines().find(|line| line.contains("new plays")).map(str::to_owned);
    let new = hits
        .as_deref()
        .and_then(|line| line.split(" of ").nth(1)?.split(' ').next()?.replace(',', "").parse::<u64>().ok());
    assert!(new > Some(20), "{}", out(&again));
    let member = inspect(&["member", "m0", "--json"]);
    let watched =
        member["history"].as_array().and_then(|history| history.last()).expect("m0 is followed, so it plays");
    let title = inspect(&["title", watched["title"].as_str().expect("an id"), "--json"]);
    assert!(title["plays"].as_u64() > Some(0), "{title}");
    assert!(title["catalogue"]["name"].is_string(), "{title}");
}

#[test]
fn a_file_is_published_once_and_its_bad_lines_are_named() {
    let directory = tempfile::tempdir().expect("directory");
    let play = |id: &str| {
        format!(r#"{{"id":"{id}","type":"play","member":"m1","title":"t1","at":"2026-03-01T20:15:00Z"}}"#)
    };
    let file = directory.path().join("events.ndjson");
    std::fs::write(&file, format!("{}\n\n{}\nnonsense\n{}\n", play("a"), play("b"), play("a")))
        .expect("written");
    let titles = directory.path().join("titles.ndjson");
    std::fs::write(&titles, "{\"id\":\"t1\",\"name\":\"First\"}\n").expect("written");

    let first = nearline(directory.path(), &["publish", "events.ndjson", "--titles", "titles.ndjson"]);
    assert_eq!(first.status.code(), Some(1), "{}", err(&first));
    assert!(out(&first).contains("2 accepted, 1 duplicate, 1 rejected"), "{}", out(&first));
    assert!(out(&first).contains("put 1 titles"), "{}", out(&first));
    assert!(err(&first).contains("line 4: malformed-json"), "{}", err(&first));

    // More lines: only those are published.
    let more = format!("{}{}\n", std::fs::read_to_string(&file).expect("read"), play("c"));
    std::fs::write(&file, more).expect("written");
    let second = nearline(directory.path(), &["publish", "events.ndjson"]);
    assert!(out(&second).contains("going on after line 5"), "{}", out(&second));
    assert!(out(&second).contains("3 accepted, 1 duplicate, 1 rejected; 1 of them now"), "{}", out(&second));

    // Another file under the same name is not mistaken for it.
    std::fs::write(&file, format!("{}\n", play("d"))).expect("written");
    let other = nearline(directory.path(), &["publish", "events.ndjson"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(err(&other).contains("--restart"), "{}", err(&other));
    assert_done(&nearline(directory.path(), &["publish", "events.ndjson", "--restart"]));
}

#[test]
fn refused_lines_are_corrected_and_published_by_themselves() {
    let directory = tempfile::tempdir().expect("directory");
    let at = |name: &str| directory.path().join(name);
    let play = |id: &str, key: &str| {
        format!(r#"{{"id":"{id}","type":"play","member":"m","{key}":"t","at":"2026-03-01T20:15:00Z"}}"#)
    };
    let lines = [play("a", "title"), play("b", "titel"), "no JSON".into(), play("c", "title")];
    std::fs::write(at("events.ndjson"), lines.join("\n") + "\n").expect("written");
    let first = nearline(directory.path(), &["publish", "events.ndjson"]);
    assert_eq!(first.status.code(), Some(1));
    assert!(
        err(&first).contains("2 lines were refused; they are in events.ndjson.refused"),
        "{}",
        err(&first)
    );
    let refused = std::fs::read_to_string(at("events.ndjson.refused")).expect("there");
    assert_eq!(refused, format!("{}\nno JSON\n", lines[1]));
    std::fs::write(at("events.ndjson.refused"), play("b", "title") + "\n").expect("corrected");
    for read in ["events.ndjson", "./events.ndjson.published", "./events.ndjson"] {
        let over = nearline(directory.path(), &["publish", "events.ndjson", "--restart", "--refused", read]);
        assert!(err(&over).contains("name another file"), "{}", err(&over));
    }
    // Once more changes nothing, neither of what is counted nor of what was corrected.
    let again = nearline(directory.path(), &["publish", "events.ndjson"]);
    assert!(out(&again).contains("0 of them now"), "{}", out(&again));
    let corrected = nearline(directory.path(), &["publish", "events.ndjson.refused"]);
    assert_done(&corrected);
    assert!(out(&corrected).contains("1 accepted, 0 duplicate, 0 rejected"), "{}", out(&corrected));
}

#[test]
fn an_import_is_written_as_events_and_titles_that_can_be_published() {
    let directory = tempfile::tempdir().expect("directory");
    let set = directory.path().join("ml");
    std::fs::create_dir(&set).expect("made");
    std::fs::write(set.join("movies.dat"), "1::Toy Story (1995)::Animation\n").expect("written");
    std::fs::write(set.join("ratings.dat"), "1::1::5::978300760\n2::1::4::978300761\n").expect("written");
    for read in ["ml/ratings.dat", "ml/../ml/movies.dat"] {
        let refused = nearline(directory.path(), &["import", "movielens", "ml", "--to", read]);
        assert!(err(&refused).contains("is there already, in ml, which is read"), "{}", err(&refused));
    }
    assert_done(&nearline(directory.path(), &["import", "movielens", "ml", "--to", "ml.ndjson"]));
    let published = nearline(directory.path(), &["publish", "ml.ndjson", "--titles", "ml.ndjson.titles"]);
    assert_done(&published);
    assert!(out(&published).contains("2 accepted, 0 duplicate"), "{}", out(&published));
    let imported = nearline(directory.path(), &["import", "movielens", "ml"]);
    assert_done(&imported);
    assert!(out(&imported).contains("0 accepted, 2 duplicate"), "{}", out(&imported));
}

#[test]
fn wrong_usage_and_failures_have_their_own_exit_codes() {
    let directory = tempfile::tempdir().expect("directory");
    let absent = nearline(directory.path(), &["inspect", "member", "nobody"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(err(&absent).contains("there is no data in"), "{}", err(&absent));
    std::fs::create_dir(directory.path().join("nearline-data")).expect("a directory without data");
    for (arguments, code, says) in [
        (&["serve", "--nonsense"][..], 2, "--nonsense"),
        (&["demo", "--rate", "0"], 2, "--rate"),
        (&["publish", "absent.ndjson"], 1, "absent.ndjson cannot be read"),
        (&["publish", "absent.ndjson", "--restart", "--to"], 2, "--to"),
        (&["import", "movielens", "."], 1, "none of u.data"),
        (&["inspect", "member", "a b"], 1, "holds ' '"),
        (&["inspect", "member", "nobody"], 1, "nothing is stored of member nobody"),
        (&["inspect", "partition", "999"], 1, "there is no partition 999"),
        (&["--config", "absent.toml", "serve"], 1, "absent.toml cannot be read"),
    ] {
        let output = nearline(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains(says), "{arguments:?}: {}", err(&output));
    }
}

#[test]
fn every_command_explains_itself_and_completions_are_printed() {
    let directory = tempfile::tempdir().expect("directory");
    for command in ["serve", "demo", "publish", "import", "inspect", "dead-letters", "completions"] {
        let help = nearline(directory.path(), &[command, "--help"]);
        assert_done(&help);
        assert!(out(&help).contains("Usage: nearline"), "{}", out(&help));
    }
    for shell in ["bash", "zsh", "fish"] {
        let completions = nearline(directory.path(), &["completions", shell]);
        assert_done(&completions);
        assert!(out(&completions).contains("dead-letters"));
    }
    std::fs::create_dir(directory.path().join("nearline-data")).expect("a directory without data");
    let letters = nearline(directory.path(), &["dead-letters", "list"]);
    assert_done(&letters);
    assert!(out(&letters).contains("no dead letters"), "{}", out(&letters));
}
