//! `nearline-lab evaluate` finds what was planted, finds nothing where nothing is, and says the same twice.

use nearline_audience::{Audience, AudienceSettings};
use nearline_model::timestamp::format_rfc3339;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const START_MS: i64 = 1_772_000_000_000;

fn evaluate(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
        .arg("evaluate")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the program starts")
}

/// The report of a run that must go well, without its timings.
fn report(directory: &Path, arguments: &[&str]) -> Value {
    let output = evaluate(directory, &[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    let timing = report.as_object_mut().expect("an object").remove("timing").expect("timings");
    for name in ["query_p50_us", "query_p99_us", "event_p50_us", "event_p99_us"] {
        assert!(timing[name].as_f64() > Some(0.0), "{name} in {timing}");
    }
    report
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("{name} is no number in {report}"))
}

fn write(directory: &Path, name: &str, lines: &[String]) {
    std::fs::write(directory.join(name), lines.join("\n")).expect("written");
}

fn event(number: usize, kind: &str, member: &str, title: &str, more: Value) -> String {
    let at = format_rfc3339(START_MS + number as i64 * 1_000);
    let mut event =
        json!({"id": format!("e{number}"), "type": kind, "member": member, "title": title, "at": at});
    event.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    event.to_string()
}

/// Members who, one after the other, watch 20 titles of a circle of 40, each from its own place on.
fn circle(members: usize) -> Vec<(String, String)> {
    let of = |member: usize| {
        (0..20).map(move |step| (format!("m{member}"), format!("t{:02}", (member * 7 + step) % 40)))
    };
    (0..members).flat_map(of).collect()
}

fn plays(watched: &[(String, String)]) -> Vec<String> {
    let line =
        |(at, (member, title)): (usize, &(String, String))| event(at, "play", member, title, json!({}));
    watched.iter().enumerate().map(line).collect()
}

/// Lines of a seeded audience, 2 seconds apart.
fn audience(events: usize) -> Vec<String> {
    let settings = AudienceSettings { members: 100, titles: 60, active_members: 20, ..Default::default() };
    let mut audience = Audience::new(settings);
    (0..events as i64).map(|at| audience.next_event(START_MS + 2_000 * at).json).collect()
}

#[test]
fn what_always_comes_next_is_found_at_the_first_rank() {
    let directory = tempfile::tempdir().expect("directory");
    write(directory.path(), "events", &plays(&circle(60)));
    let report = report(directory.path(), &["prequential", "events", "--k", "1"]);
    // The first title of each member cannot be known: one of twenty.
    assert_eq!((&report["events"], &report["queries"]), (&json!(1_200), &json!(240)));
    assert!(number(&report["warm"], "hit_rate_at_1") > 0.99, "{report}");
    assert!(number(&report, "hit_rate_at_1") > 0.9, "{report}");
    assert!(number(&report["popular"], "hit_rate_at_1") < 0.3, "{report}");
}

#[test]
fn where_nothing_can_be_known_nothing_is_found() {
    // The same members and the same titles, but each title falls to somebody else: no order is left.
    let directory = tempfile::tempdir().expect("directory");
    let mut watched = circle(60);
    let mut state = 1_u64;
    for at in (1..watched.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = (state >> 33) as usize % (at + 1);
        let title = watched[at].1.clone();
        watched[at].1 = std::mem::replace(&mut watched[other].1, title);
    }
    write(directory.path(), "events", &plays(&watched));
    let report = report(directory.path(), &["prequential", "events", "--k", "1"]);
    assert!(number(&report["warm"], "hit_rate_at_1") < 0.15, "{report}");
}

#[test]
fn a_report_has_every_figure_and_is_the_same_whatever_the_order_of_the_lines() {
    let directory = tempfile::tempdir().expect("directory");
    let mut lines = audience(3_000);
    write(directory.path(), "in-order", &lines);
    lines.reverse();
    let (one, two) = lines.split_at(1_000);
    write(directory.path(), "one", one);
    write(directory.path(), "two", two);
    let first = report(directory.path(), &["prequential", "in-order", "--train-fraction", "0.5"]);
    let again = report(directory.path(), &["prequential", "in-order", "--train-fraction", "0.5"]);
    let parts = report(directory.path(), &["prequential", "one", "two", "--from-fraction", "0.5"]);
    assert_eq!(first, again);
    assert_eq!(first, parts);
    for name in ["hit_rate_at_10", "mrr_at_10", "ndcg_at_10", "coverage_at_10"] {
        let value = number(&first, name);
        assert!(value > 0.0 && value <= 1.0, "{name} is {value}");
    }
    assert!(number(&first, "mrr_at_10") <= number(&first, "ndcg_at_10"), "{first}");
    assert!(number(&first, "ndcg_at_10") <= number(&first, "hit_rate_at_10"), "{first}");
    assert!(number(&first, "novelty_bits_at_10") > 1.0);
    assert_eq!((&first["train_events"], &first["test_events"]), (&json!(1_500), &json!(1_500)));
    let queries = |report: &Value| report["queries"].as_u64().expect("a number");
    assert_eq!(queries(&first["cold"]) + queries(&first["warm"]), queries(&first));
    for parts in ["over_time", "by_titles_seen"] {
        let parts = first[parts].as_array().expect("a list");
        assert_eq!(parts.iter().map(queries).sum::<u64>(), queries(&first));
    }
    let hits =
        first["hits_by_rank"].as_array().expect("a list").iter().filter_map(Value::as_u64).sum::<u64>();
    let hit_rate = hits as f64 / queries(&first) as f64;
    assert!((hit_rate - number(&first, "hit_rate_at_10")).abs() < 1e-6);
}

#[test]
fn only_the_first_play_or_rating_of_a_title_is_asked_about() {
    let directory = tempfile::tempdir().expect("directory");
    let rated = json!({"value": 4.0});
    let mut lines = vec![
        event(0, "play", "m1", "a", json!({})),
        event(1, "rating", "m1", "a", rated.clone()),
        event(2, "play", "m1", "a", json!({})),
        event(3, "impression", "m1", "b", json!({})),
        event(4, "rating", "m1", "b", rated),
        event(5, "thumb", "m1", "c", json!({"value": 1})),
        event(6, "play", "m2", "b", json!({})),
    ];
    // Published twice: dropped by its id, so not asked about either.
    lines.push(lines[6].clone());
    write(directory.path(), "events", &lines);
    let arguments = ["prequential", "events", "--train-fraction", "0", "--queries", "queries"];
    let report = report(directory.path(), &arguments);
    assert_eq!((&report["queries"], &report["dropped_events"]), (&json!(3), &json!(1)), "{report}");
    assert_eq!(report["members"], json!(2));
    // Nothing is known before the first; b is not played before m1 rates it; then m2 plays b.
    assert_eq!(number(&report, "hit_rate_at_10"), 0.333333);
    let queries = std::fs::read_to_string(directory.path().join("queries")).expect("written");
    let queries: Vec<Value> = queries.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ranks: Vec<_> = queries.iter().map(|query| (&query["event"], &query["rank"])).collect();
    let (known, unknown) = (json!(2), Value::Null);
    assert_eq!(
        ranks,
        [(&json!("e0"), &unknown), (&json!("e4"), &unknown), (&json!("e6"), &known)],
        "a has been played and b has not more often: a comes first"
    );
}

#[test]
fn events_come_from_standard_input_too_and_charts_go_to_a_file() {
    let directory = tempfile::tempdir().expect("directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_nearline-lab"))
        .args(["evaluate", "prequential", "-", "--html", "report.html"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let lines = plays(&circle(30)).join("\n");
    child.stdin.take().expect("piped").write_all(lines.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    for expected in ["600 events", "hit rate@10", "nDCG@10", "popular", "report.html"] {
        assert!(shown.contains(expected), "{expected:?} is missing in:\n{shown}");
    }
    let page = std::fs::read_to_string(directory.path().join("report.html")).expect("written");
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("standard input") && !page.contains("NaN") && !page.contains("src="), "{page}");
}

#[test]
fn a_catalogue_keeps_titles_out_of_countries_where_they_are_not_available() {
    let directory = tempfile::tempdir().expect("directory");
    let watched = circle(20);
    let in_brazil = |(at, (member, title)): (usize, &(String, String))| {
        event(at, "play", member, title, json!({"country": "BR"}))
    };
    let lines: Vec<String> = watched.iter().enumerate().map(in_brazil).collect();
    write(directory.path(), "events", &lines);
    let titles: Vec<String> =
        (0..40).map(|title| json!({"id": format!("t{title:02}"), "countries": ["JP"]}).to_string()).collect();
    write(directory.path(), "titles", &titles);
    let report = report(directory.path(), &["prequential", "events", "--catalogue", "titles"]);
    assert_eq!((number(&report, "hit_rate_at_10"), number(&report, "coverage_at_10")), (0.0, 0.0));
    assert_eq!(report["novelty_bits_at_10"], Value::Null, "nothing was recommended");
}

/// Like [`circle`], but each play is chosen from a page of ten titles, the one that comes next among them.
fn pages(members: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, (member, title)) in circle(members).iter().enumerate() {
        let request = json!({"request": format!("r{at}")});
        let next: usize = title[1..].parse().expect("a number");
        for place in 0..10 {
            // The title that is played stands at another place of each page.
            let shown = format!("t{:02}", (next + 40 + place - at % 10) % 40);
            lines.push(event(lines.len(), "impression", member, &shown, request.clone()));
        }
        lines.push(event(lines.len(), "play", member, title, request));
    }
    lines
}

#[test]
fn on_a_page_what_always_comes_next_is_ranked_first() {
    let directory = tempfile::tempdir().expect("directory");
    write(directory.path(), "events", &pages(20));
    let report = report(directory.path(), &["impressions", "events", "--train-fraction", "0.5"]);
    assert_eq!((&report["requests"], &report["requests_ranked"]), (&json!(200), &json!(200)));
    for name in ["auc", "mrr", "ndcg_at_5", "ndcg_at_10"] {
        assert!(number(&report["warm"], name) > 0.95, "{name} in {report}");
        assert!(number(&report["warm"]["popular"], name) < 0.8, "{name} in {report}");
    }
}

#[test]
fn before_anything_is_known_a_page_is_worth_a_coin() {
    let directory = tempfile::tempdir().expect("directory");
    let request = json!({"request": "r1"});
    let lines = [
        event(0, "impression", "m1", "a", request.clone()),
        event(1, "impression", "m1", "b", request.clone()),
        // Nothing, and everything, of these was played: they tell nothing.
        event(2, "impression", "m2", "a", json!({"request": "r2"})),
        event(3, "impression", "m3", "a", json!({"request": "r3"})),
        event(4, "play", "m3", "a", json!({"request": "r3"})),
        event(5, "play", "m1", "b", request),
    ];
    write(directory.path(), "events", &lines);
    let report = report(directory.path(), &["impressions", "events"]);
    assert_eq!((&report["requests"], &report["requests_ranked"]), (&json!(3), &json!(1)));
    assert_eq!((number(&report, "auc"), number(&report, "mrr")), (0.5, 0.75));
}

#[test]
fn an_audience_s_pages_are_measured_the_same_twice() {
    let directory = tempfile::tempdir().expect("directory");
    write(directory.path(), "events", &audience(3_000));
    let first = report(directory.path(), &["impressions", "events"]);
    assert_eq!(first, report(directory.path(), &["impressions", "events"]));
    assert!(first["requests_ranked"].as_u64() > Some(50), "{first}");
    let shown = evaluate(directory.path(), &["impressions", "events"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("AUC"));
}

#[test]
fn bad_lines_are_counted_and_named_and_bad_files_end_it() {
    let directory = tempfile::tempdir().expect("directory");
    let mut lines = plays(&circle(2));
    lines[2] = "nonsense".into();
    lines[4] = r#"{"id":"x","type":"play","member":"m 1","title":"t","at":"2026-03-01T20:15:00Z"}"#.into();
    write(directory.path(), "events", &lines);
    let output = evaluate(directory.path(), &["prequential", "events", "--json"]);
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{warned}");
    for expected in ["2 lines were left out", "events:3: malformed-json", "events:5: invalid-id: `member`"] {
        assert!(warned.contains(expected), "{expected:?} is missing in:\n{warned}");
    }
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&report["events"], &report["bad_lines"]), (&json!(38), &json!(2)));

    write(directory.path(), "bad", &["nonsense".into()]);
    for (arguments, expected) in [
        (&["prequential", "bad"][..], "no valid event"),
        (&["prequential", "nowhere"], "nowhere cannot be read"),
        (&["prequential", "events", "--catalogue", "bad"], "bad:1"),
        (&["impressions", "events"], "no request to measure"),
    ] {
        let output = evaluate(directory.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(expected), "{expected:?} is missing in:\n{error}");
    }
    for arguments in
        [&["prequential", "events", "--k", "0"][..], &["prequential", "events", "--train-fraction", "1"]]
    {
        assert_eq!(evaluate(directory.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn tables_of_several_files_are_as_one_and_a_time_that_is_no_number_is_a_bad_line() {
    let directory = tempfile::tempdir().expect("directory");
    let row = |(at, (member, title)): (usize, &(String, String))| {
        format!("{member},{title},{}", 1_700_000_000 + at)
    };
    let rows: Vec<String> = circle(40).iter().enumerate().map(row).collect();
    let table = |rows: Vec<&String>| {
        let mut lines = vec!["user,item,time".to_owned()];
        lines.extend(rows.into_iter().cloned());
        lines
    };
    write(directory.path(), "all.csv", &table(rows.iter().collect()));
    write(directory.path(), "a.csv", &table(rows.iter().step_by(2).collect()));
    write(directory.path(), "b.csv", &table(rows.iter().skip(1).step_by(2).collect()));
    let whole = report(directory.path(), &["prequential", "all.csv"]);
    let parts = report(directory.path(), &["prequential", "a.csv", "b.csv"]);
    for name in ["events", "queries", "dropped_events", "hit_rate_at_10"] {
        assert_eq!(whole[name], parts[name], "{name}");
    }
    write(directory.path(), "nan.csv", &table(vec![&"m0,t1,NaN".to_owned(), &rows[0], &rows[1], &rows[2]]));
    let partly = report(directory.path(), &["prequential", "nan.csv", "--train-fraction", "0"]);
    assert_eq!((&partly["events"], &partly["bad_lines"]), (&json!(3), &json!(1)), "{partly}");
}

#[test]
fn what_a_request_came_to_is_not_known_where_it_is_ranked_whatever_stands_first() {
    let directory = tempfile::tempdir().expect("directory");
    let (mut lines, mut later) = (Vec::new(), Vec::new());
    let mut dice = StdRng::seed_from_u64(3);
    for request in 0..600_usize {
        let more = json!({ "request": format!("r{request}") });
        let member = format!("m{}", dice.random_range(0..50));
        let mut known: Vec<usize> = (0..30).collect();
        known.shuffle(&mut dice);
        let titles: Vec<String> = known[..6].iter().map(|title| format!("t{title}")).collect();
        let mut all: Vec<(&str, &String)> = titles.iter().map(|title| ("impression", title)).collect();
        all.insert(0, ("play", &titles[dice.random_range(0..6)]));
        for (at, (kind, title)) in all.into_iter().enumerate() {
            let at_second = format_rfc3339(START_MS + request as i64 * 60_000);
            let mut event: Value =
                serde_json::from_str(&event(request * 10 + at, kind, &member, title, more.clone()))
                    .expect("JSON");
            event["at"] = at_second.into();
            lines.push(event.to_string());
        }
        let of_request = lines.len() - 7;
        later.extend(lines[of_request + 1..].iter().cloned());
        later.push(lines[of_request].clone());
    }
    write(directory.path(), "plays-first", &lines);
    write(directory.path(), "plays-last", &later);
    let [first, last] = ["plays-first", "plays-last"]
        .map(|file| report(directory.path(), &["impressions", file, "--train-fraction", "0.5"]));
    // What was known before a request is the same, in whatever order it is written; what is attributed later is not.
    for of in [|report: &Value| number(report, "auc"), |report: &Value| number(&report["popular"], "auc")] {
        assert!((of(&first) - of(&last)).abs() < 0.03 && (of(&first) - 0.5).abs() < 0.06, "{first} {last}");
    }
}

#[test]
fn ratings_of_what_was_just_played_are_no_plays_of_it_again() {
    let directory = tempfile::tempdir().expect("directory");
    let watched = circle(40);
    let line = |kind: &'static str, more: Value| {
        move |(at, (member, title)): (usize, &(String, String))| {
            let number = 2 * at + usize::from(kind == "rating");
            (number, event(number, kind, member, title, more.clone()))
        }
    };
    let mut lines: Vec<(usize, String)> = watched.iter().enumerate().map(line("play", json!({}))).collect();
    let alone: Vec<String> = lines.iter().map(|(_, line)| line.clone()).collect();
    lines.extend(watched.iter().enumerate().map(line("rating", json!({ "value": 5 }))));
    lines.sort_unstable();
    write(directory.path(), "plays", &alone);
    write(directory.path(), "rated", &lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>());
    let served = |file: &str| report(directory.path(), &["prequential", file])["as_served"].clone();
    let (alone, rated) = (served("plays"), served("rated"));
    assert_eq!(alone["queries"], rated["queries"], "{alone} {rated}");
}
