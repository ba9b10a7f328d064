//! Importers read the original formats of public data sets, and say which line they cannot read.

use nearline_audience::datasets::{Imported, mind, movielens};
use nearline_model::{Event, EventKind};
use std::path::Path;

const GENRES: &str = "unknown|0\nAction|1\nComedy|2\n\n";

fn write(directory: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        std::fs::write(directory.join(name), bytes).expect("written");
    }
}

fn events(imported: &Imported) -> Vec<Event<'_>> {
    imported.events.iter().map(|json| Event::parse(json.as_bytes(), 65_536).expect("valid")).collect()
}

#[test]
fn movielens_100k_is_read_in_the_order_of_time_user_title() {
    let directory = tempfile::tempdir().expect("directory");
    write(
        directory.path(),
        &[
            ("u.genre", GENRES.as_bytes()),
            ("u.item", b"1|Caf\xe9 (1995)|01-Jan-1995||http://x|0|1|1\n2|unknown||||1|0|0\n"),
            ("u.data", b"2\t1\t5\t881250950\n1\t2\t3\t881250949\n2\t2\t1\t881250949\n1\t1\t4\t881250949\n"),
        ],
    );
    let imported = movielens::read(directory.path()).expect("read");
    let ids: Vec<_> = events(&imported).iter().map(|event| event.id.to_string()).collect();
    assert_eq!(ids, ["ml-1-1", "ml-1-2", "ml-2-2", "ml-2-1"]);
    let first = &events(&imported)[1];
    assert_eq!((first.kind, &*first.member, &*first.title), (EventKind::Rating, "u1", "t2"));
    assert_eq!((first.at_ms, first.value), (881_250_949_000, Some(3.0)));
    let title = &imported.titles[0];
    assert_eq!((title.name.as_deref(), title.year), (Some("Café"), Some(1995)));
    assert_eq!(title.genres, ["Action", "Comedy"]);
    assert_eq!((imported.titles[1].year, imported.titles[1].genres.len()), (None, 0));
}

#[test]
fn movielens_1m_is_read() {
    let directory = tempfile::tempdir().expect("directory");
    write(
        directory.path(),
        &[
            ("movies.dat", b"1::Toy Story (1995)::Animation|Children's\n"),
            ("ratings.dat", b"1::1::5::978300760\n"),
        ],
    );
    let imported = movielens::read(directory.path()).expect("read");
    assert_eq!(events(&imported)[0].at_ms, 978_300_760_000);
    assert_eq!(imported.titles[0].genres, ["Animation", "Children's"]);
}

#[test]
fn mind_becomes_history_impressions_and_plays() {
    let directory = tempfile::tempdir().expect("directory");
    write(
        directory.path(),
        &[
            (
                "news.tsv",
                b"N1\tnews\tnewsus\tFirst\tabstract\turl\t[]\t[]\nN2\tsports\tsports\tSecond\t\t\t\t\n",
            ),
            (
                "behaviors.tsv",
                b"7\tU2\t11/12/2019 2:14:46 PM\tN1\tN2-0\n\
                  5\tU1\t11/12/2019 1:00:00 PM\tN8 N9\tN1-1 N2-0 N3-1\n\
                  6\tU1\t11/12/2019 1:30:00 PM\tN8 N9 N1\tN2-1\n",
            ),
        ],
    );
    let imported = mind::read(directory.path()).expect("read");
    let events = events(&imported);
    let ids: Vec<_> = events.iter().map(|event| &*event.id).collect();
    let expected = [
        "mind-h-U1-0",
        "mind-h-U1-1",
        "mind-i-5-0",
        "mind-i-5-1",
        "mind-i-5-2",
        "mind-p-5-0",
        "mind-p-5-2",
        "mind-h-U2-0",
        "mind-i-6-0",
        "mind-p-6-0",
        "mind-i-7-0",
    ];
    assert_eq!(ids, expected);
    let time = |at: usize| nearline_model::timestamp::format_rfc3339(events[at].at_ms);
    assert_eq!([time(0), time(1)], ["2019-11-12T11:59:00.000Z", "2019-11-12T12:00:00.000Z"]);
    assert_eq!([time(5), time(6)], ["2019-11-12T13:00:01.000Z", "2019-11-12T13:00:02.000Z"]);
    assert_eq!((&*events[3].request, events[3].position), ("r5", Some(1)));
    assert_eq!(&*events[6].request, "r5");
    assert_eq!(imported.titles[0].genres, ["news", "newsus"]);
    assert_eq!(imported.titles[1].genres, ["sports"]);
}

#[test]
fn a_bad_line_is_named_with_what_is_wrong() {
    let item: &[u8] = b"1|A (1995)|01-Jan-1995|||0|1|1\n";
    let good: &[u8] = b"1\t1\t4\t881250949\n";
    let movielens = |item: &[u8], data: &[u8]| {
        let directory = tempfile::tempdir().expect("directory");
        write(directory.path(), &[("u.genre", GENRES.as_bytes()), ("u.item", item), ("u.data", data)]);
        movielens::read(directory.path()).expect_err("bad").to_string()
    };
    for (error, file_line, what) in [
        (movielens(item, b"1\t1\t4\t881250949\n1\t2\t9\t1\n"), "u.data:2:", "rating is \"9\""),
        (movielens(item, b"1\t1\t4\n"), "u.data:1:", "has 3 fields; expected 4"),
        (movielens(item, b"x\t1\t4\t5\n"), "u.data:1:", "user is \"x\""),
        (movielens(item, b"1\t1\t4\t-5\n"), "u.data:1:", "time is \"-5\""),
        (movielens(b"1|A|||u|0|2|0\n", good), "u.item:1:", "flag of genre Action is \"2\""),
        (movielens(b"1|A|0\n", good), "u.item:1:", "has 3 fields; expected 8"),
    ] {
        assert!(error.contains(file_line) && error.contains(what), "{error}");
    }
    let mind = |news: &[u8], behaviours: &[u8]| {
        let directory = tempfile::tempdir().expect("directory");
        write(directory.path(), &[("news.tsv", news), ("behaviors.tsv", behaviours)]);
        mind::read(directory.path()).expect_err("bad").to_string()
    };
    for (error, file_line, what) in [
        (mind(b"N1\tnews\n", b""), "news.tsv:1:", "has 2 fields"),
        (mind(b"N 1\ta\tb\tc\n", b""), "news.tsv:1:", "holds ' '"),
        (mind(b"", b"1\tU1\tyesterday\t\tN1-0\n"), "behaviors.tsv:1:", "time is \"yesterday\""),
        (mind(b"", b"\n1\tU1\t11/12/2019 1:00:00 PM\t\tN1\n"), "behaviors.tsv:2:", "shown has \"N1\""),
        (mind(b"N1\ta\tb\t\xff\n", b""), "news.tsv:1:", "not UTF-8"),
    ] {
        assert!(error.contains(file_line) && error.contains(what), "{error}");
    }
    let empty = tempfile::tempdir().expect("directory");
    let error = movielens::read(empty.path()).expect_err("nothing there").to_string();
    assert!(error.contains("neither u.data") && error.contains("ratings.dat"), "{error}");
}
