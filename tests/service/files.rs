//! Files as they are found, published by the command that people run.

use crate::running::{Service, gzip};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn play(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"play","member":"m1","title":"t1","at":"2026-03-01T20:15:00Z"}}"#)
}

/// Runs the program in `directory`, with `input` on its standard input.
fn nearline(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_nearline"))
        .args(arguments)
        .current_dir(directory)
        .env("NEARLINE__LOG__LEVEL", "warn")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    process.stdin.take().expect("piped").write_all(input).expect("written");
    process.wait_with_output().expect("it ends")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn assert_says(output: &Output, expected: &str) {
    assert!(said(output).contains(expected), "{expected:?} is missing in:\n{}", said(output));
}

#[test]
fn a_compressed_file_is_published_and_gone_on_with_as_a_plain_one_is() {
    let directory = tempfile::tempdir().expect("directory");
    let write = |bytes: Vec<u8>| std::fs::write(directory.path().join("e.gz"), bytes).expect("written");
    let publish = || nearline(directory.path(), &["publish", "e.gz"], b"");
    let first = gzip(format!("\u{feff}{}\r\n{}\r\n", play("a"), play("b")).as_bytes());
    write(first.clone());
    assert_says(&publish(), "2 accepted, 0 duplicate, 0 rejected");
    // One more member at the end, as `cat` makes it.
    write([first, gzip(play("c").as_bytes())].concat());
    let again = publish();
    assert_says(&again, "going on after line 2");
    assert_says(&again, "1 of them now");
}

#[test]
fn standard_input_is_published_and_nothing_of_it_is_remembered_unless_asked_for() {
    let directory = tempfile::tempdir().expect("directory");
    let input = format!("{}\n{}\n", play("a"), play("b"));
    let publish =
        |more: &[&str]| nearline(directory.path(), &[&["publish", "-"], more].concat(), input.as_bytes());
    assert_says(&publish(&[]), "2 accepted");
    assert_says(&publish(&[]), "0 accepted, 2 duplicate");
    assert!(!directory.path().join("-.published").exists());
    assert_says(&publish(&["--state", "here"]), "2 duplicate");
    assert_says(&publish(&["--state", "here"]), "going on after line 2");
    let packed = nearline(directory.path(), &["publish", "-"], &gzip(play("c").as_bytes()));
    assert_says(&packed, "1 accepted");
}

#[test]
fn no_character_is_ever_replaced() {
    let directory = tempfile::tempdir().expect("directory");
    let titles =
        [b"{\"id\":\"t1\",\"name\":\"Am\xe9lie\"}\n".to_vec(), "{\"id\":\"t2\",\"name\":\"Żal\"}\n".into()];
    std::fs::write(directory.path().join("titles"), titles.concat()).expect("written");
    std::fs::write(directory.path().join("e"), format!("{}\n", play("a"))).expect("written");
    assert!(nearline(directory.path(), &["publish", "e", "--titles", "titles"], b"").status.success());
    for (id, name) in [("t1", "Amélie"), ("t2", "Żal")] {
        let shown = nearline(directory.path(), &["inspect", "title", id, "--json"], b"");
        assert_says(&shown, name);
    }
    let latin1 = [play("b").replace('}', ",\"note\":\"").as_bytes(), b"caf\xe9\"}\n"].concat();
    let published = nearline(directory.path(), &["publish", "-"], &latin1);
    assert_says(&published, "1 accepted");
    assert_says(&published, "1 lines are no UTF-8 and were read as Latin-1");
    let parquet = nearline(directory.path(), &["publish", "-"], b"PAR1xxxxPAR1");
    assert_says(&parquet, "nearline-lab to-jsonl");
}

#[test]
fn how_far_it_came_is_remembered_for_each_place() {
    let directory = tempfile::tempdir().expect("directory");
    std::fs::write(directory.path().join("e"), format!("{}\n{}\n", play("a"), play("b"))).expect("written");
    assert_says(&nearline(directory.path(), &["publish", "e"], b""), "2 accepted");
    assert_says(&nearline(directory.path(), &["publish", "e"], b""), "going on after line 2");
    // Another place knows nothing of it yet.
    let service = Service::start();
    let url = format!("http://{}", service.http);
    assert_says(&nearline(directory.path(), &["publish", "e", "--to", &url], b""), "2 accepted");
    assert_says(&nearline(directory.path(), &["publish", "e", "--to", &url], b""), "going on after line 2");
}

#[test]
fn what_is_too_much_for_one_request_goes_in_parts_and_a_line_that_is_too_long_is_refused_alone() {
    let directory = tempfile::tempdir().expect("directory");
    let small = |config: &mut nearline_config::Config| {
        config.http.max_body_bytes = 2_000;
        config.http.max_events_per_request = 7;
    };
    let service = Service::start_with(small, |ports| ports);
    let mut lines: Vec<String> = (0..50).map(|n| play(&format!("e{n}"))).collect();
    lines.insert(20, play("long").replace('}', &format!(",\"note\":\"{}\"}}", "x".repeat(3_000))));
    std::fs::write(directory.path().join("e"), lines.join("\n")).expect("written");
    let titles: Vec<String> =
        (0..40).map(|n| format!("{{\"id\":\"t{n}\",\"name\":\"{}\"}}", "n".repeat(200))).collect();
    std::fs::write(directory.path().join("t"), titles.join("\n")).expect("written");
    let url = format!("http://{}", service.http);
    let published = nearline(directory.path(), &["publish", "e", "--titles", "t", "--to", &url], b"");
    assert_says(&published, "put 40 titles");
    assert_says(&published, "50 accepted, 0 duplicate, 1 rejected");
    assert_says(&published, "line 21: too-large");
    assert_eq!(published.status.code(), Some(1));
}

#[test]
fn what_others_wrote_does_not_steer_the_terminal() {
    let directory = tempfile::tempdir().expect("directory");
    let title = "{\"id\":\"t1\",\"name\":\"\\u001b[31mred\\u009b2J\\u202e\"}\n";
    std::fs::write(directory.path().join("titles"), title).expect("written");
    let events = format!("{}\n{{\"id\":\"\\u001b]0;x\\u0007\"}}\n\u{1b}[2J\n", play("a"));
    let published = nearline(directory.path(), &["publish", "-", "--titles", "titles"], events.as_bytes());
    let shown = nearline(directory.path(), &["inspect", "title", "t1"], b"");
    let json = nearline(directory.path(), &["inspect", "title", "t1", "--json"], b"");
    assert_says(&shown, "red");
    let name =
        serde_json::from_slice::<serde_json::Value>(&json.stdout).expect("JSON")["catalogue"]["name"].clone();
    assert_eq!(name, "\u{1b}[31mred\u{9b}2J\u{202e}", "JSON means the same");
    let missing = nearline(directory.path(), &["publish", "\u{1b}[2J", "--restart"], b"");
    for output in [published, shown, json, missing] {
        let said = said(&output);
        let bad = said.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
        assert_eq!(bad, None, "{said:?}");
    }
}
