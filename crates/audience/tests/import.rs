//! Importers read the original formats of public data sets, and say which line they cannot read.

use nearline_audience::datasets::{Imported, Report, mind, movielens};
use nearline_model::{Event, EventKind, Title};
use std::io::Write;
use std::path::Path;

const GENRES: &str = "unknown|0\nAction|1\nComedy|2\n\n";

fn write(directory: &Path, files: &[(&str, &[u8])]) {
    for (name, bytes) in files {
        std::fs::write(directory.join(name), bytes).expect("written");
    }
}

/// What an import came to, with its events written out.
struct Read {
    titles: Vec<Title>,
    json: Vec<String>,
    report: Report,
}

impl Read {
    fn of(imported: anyhow::Result<Imported>) -> Self {
        let Imported { titles, events, report } = imported.expect("read");
        let told = events.len();
        let json: Vec<String> = events.collect();
        assert_eq!(json.len(), told);
        Self { titles, json, report }
    }

    fn events(&self) -> Vec<Event<'_>> {
        self.json.iter().map(|json| Event::parse(json.as_bytes(), 65_536).expect("valid")).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.events().iter().map(|event| event.id.to_string()).collect()
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("compressed");
    encoder.finish().expect("compressed")
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
    let imported = Read::of(movielens::read(directory.path()));
    let (early, late) = (881_250_949, 881_250_950);
    let expected = [(1, 1, early), (1, 2, early), (2, 2, early), (2, 1, late)];
    assert_eq!(imported.ids(), expected.map(|(user, item, at)| format!("ml-{user}-{item}-{at}")));
    let first = &imported.events()[1];
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
    let imported = Read::of(movielens::read(directory.path()));
    assert_eq!(imported.events()[0].at_ms, 978_300_760_000);
    assert_eq!(imported.titles[0].genres, ["Animation", "Children's"]);
}

#[test]
fn movielens_10m_is_read_with_half_stars_in_utf_8_and_without_genres_where_none_are_listed() {
    let directory = tempfile::tempdir().expect("directory");
    write(
        directory.path(),
        &[
            (
                "movies.dat",
                "1::Amélie (2001)::Comedy|Romance\n2::Odd::One (1990)::(no genres listed)\n".as_bytes(),
            ),
            ("ratings.dat", b"1::1::3.5::978300760\r\n1::2::0.5::978300761\r\n"),
        ],
    );
    let imported = Read::of(movielens::read(directory.path()));
    assert_eq!(imported.events()[0].value, Some(3.5));
    let titles: Vec<_> =
        imported.titles.iter().map(|title| (title.name.as_deref(), title.genres.len())).collect();
    assert_eq!(titles, [(Some("Amélie"), 2), (Some("Odd::One"), 0)]);
    assert_eq!(imported.report, Report::default());
}

#[test]
fn movielens_as_csv_is_read_quoted_marked_and_packed() {
    let directory = tempfile::tempdir().expect("directory");
    let movies = "\u{feff}movieId,title,genres\r\n\
        6,\"American President, The (1995)\",Comedy|Drama\r\n\
        7,\"11'09\"\"01 - September 11 (2002)\",(no genres listed)\r\n\
        8,\"Two\nlines (2003)\",Drama\r\n";
    let ratings =
        [gzip(b"userId,movieId,rating,timestamp\n1,6,4.5,1112486027\n"), gzip(b"2,7,0.5,1112486026\n")];
    write(directory.path(), &[("movies.csv", movies.as_bytes()), ("ratings.csv.gz", &ratings.concat())]);
    let imported = Read::of(movielens::read(directory.path()));
    assert_eq!(imported.ids(), ["ml-2-7-1112486026", "ml-1-6-1112486027"]);
    let names: Vec<_> = imported.titles.iter().map(|title| title.name.as_deref().expect("named")).collect();
    assert_eq!(names, ["American President, The", "11'09\"01 - September 11", "Two\nlines"]);
    let of = |at: usize| (imported.titles[at].year, imported.titles[at].genres.len());
    assert_eq!([of(0), of(1)], [(Some(1995), 2), (Some(2002), 0)]);

    write(directory.path(), &[("ratings.csv", b"user,movieId,rating,timestamp\n1,6,4.5,1\n")]);
    let error = format!("{:#}", movielens::read(directory.path()).err().expect("refused"));
    assert!(error.contains("ratings.csv: has no column userId; its header is user,movieId"), "{error}");
}

#[test]
fn a_name_that_the_catalogue_does_not_take_stops_no_import() {
    let directory = tempfile::tempdir().expect("directory");
    let long = "n".repeat(2_000);
    let movies = format!("movieId,title,genres\n1,{long} (1999),{long}|Drama\n2,,\n3,Fine (2000),Drama\n");
    let ratings = b"userId,movieId,rating,timestamp\n1,1,4,5\n1,2,nonsense,5\n1,3,4,6\n";
    write(directory.path(), &[("movies.csv", movies.as_bytes()), ("ratings.csv", ratings)]);
    let imported = Read::of(movielens::read(directory.path()));
    assert_eq!((imported.titles.len(), imported.json.len()), (3, 2));
    assert_eq!((imported.report.shortened, imported.report.refused), (1, 1));
    let refused = &imported.report.first_refused[0];
    assert!(refused.contains("ratings.csv:3: rating is \"nonsense\""), "{refused}");
    assert_eq!(imported.titles[0].name.as_ref().map(String::len), Some(1_024));
    assert_eq!(imported.titles[1].name, None);
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
    let imported = Read::of(mind::read(&[directory.path()]));
    let events = imported.events();
    let said = |event: &Event<'_>| format!("{} {} {}", event.kind.name(), event.member, event.title);
    let expected = [
        "play U1 N8",
        "play U1 N9",
        "impression U1 N1",
        "impression U1 N2",
        "impression U1 N3",
        "play U1 N1",
        "play U1 N3",
        "play U2 N1",
        "impression U1 N2",
        "play U1 N2",
        "impression U2 N2",
    ];
    assert_eq!(events.iter().map(said).collect::<Vec<_>>(), expected);
    let time = |at: usize| nearline_model::timestamp::format_rfc3339(events[at].at_ms);
    assert_eq!([time(0), time(1)], ["2019-11-12T11:59:00.000Z", "2019-11-12T12:00:00.000Z"]);
    assert_eq!([time(5), time(6)], ["2019-11-12T13:00:01.000Z", "2019-11-12T13:00:02.000Z"]);
    assert_eq!((&events[3].request, events[3].position), (&events[2].request, Some(1)));
    assert_eq!(events[6].request, events[2].request);
    assert_ne!(events[8].request, events[2].request);
    assert_eq!(imported.titles[0].genres, ["news", "newsus"]);
    assert_eq!(imported.titles[1].genres, ["sports"]);
}

fn behaviours(directory: &Path, rows: &[u8]) {
    std::fs::create_dir_all(directory).expect("made");
    write(directory, &[("news.tsv", b"N1\tnews\tnews\tFirst\t\t\t\t\n"), ("behaviors.tsv", rows)]);
}

#[test]
fn splits_of_mind_that_number_their_rows_alike_keep_all_of_them_and_again_gives_the_same_ids() {
    let directory = tempfile::tempdir().expect("directory");
    let (train, dev) = (directory.path().join("train"), directory.path().join("dev"));
    behaviours(
        &train,
        b"1\tU1\t11/12/2019 1:00:00 PM\tN8\tN1-1 N2-0\n2\tU2\t11/12/2019 1:00:00 PM\t\tN1-0\n",
    );
    behaviours(&dev, b"1\tU1\t11/15/2019 1:00:00 PM\tN8\tN3-1 N2-0\n2\tU3\t11/15/2019 1:00:00 PM\t\tN1-0\n");
    let both = Read::of(mind::read(&[&train, &dev]));
    assert_eq!(both.json.len(), 1 + 3 + 1 + 3 + 1, "the history of a member in both is told once");
    let distinct: std::collections::HashSet<_> = both.ids().into_iter().collect();
    assert_eq!(distinct.len(), both.json.len());
    assert_eq!(both.titles.len(), 1);
    assert_eq!(both.json, Read::of(mind::read(&[&train, &dev])).json);
    // One by one they are the same rows, and still no two of them share an id.
    let (train, dev) = (Read::of(mind::read(&[&train])), Read::of(mind::read(&[&dev])));
    assert!(train.ids().iter().all(|id| distinct.contains(id)));
    assert!(train.ids().iter().all(|id| !dev.ids().contains(id)));
}

#[test]
fn mind_without_labels_becomes_impressions_alone() {
    let directory = tempfile::tempdir().expect("directory");
    behaviours(
        directory.path(),
        b"1\tU1\t11/12/2019 1:00:00 PM\t\tN1 N2\r\n2\tU1\t11/12/2019 1:05:00 PM\t\t\r\n",
    );
    let imported = Read::of(mind::read(&[directory.path()]));
    let kinds: Vec<_> = imported.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Impression, EventKind::Impression]);
    assert_eq!(imported.report.refused, 0);
}

#[test]
fn a_name_that_is_no_id_is_imported_under_one_and_told_of() {
    let directory = tempfile::tempdir().expect("directory");
    write(
        directory.path(),
        &[
            ("news.tsv", b"N 1\tnews\tnews\t\n"),
            ("behaviors.tsv", b"1\tu@1\t11/12/2019 1:00:00 PM\tN.9\tN.9-1\n"),
        ],
    );
    let imported = Read::of(mind::read(&[directory.path()]));
    assert_eq!(imported.titles[0].name.as_deref(), Some("N 1"), "the original is its name");
    let events = imported.events();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.title == events[0].title), "one name is one id");
    assert_eq!(imported.report.renamed, 3);
    assert!(imported.report.sentences()[0].contains("\"N 1\" as N_1-"), "{:?}", imported.report.sentences());
}

#[test]
fn a_bad_line_is_left_out_and_named_with_what_is_wrong() {
    let item: &[u8] = b"1|A (1995)|01-Jan-1995|||0|1|1\n";
    let good: &[u8] = b"1\t1\t4\t881250949\n";
    let movielens = |item: &[u8], data: &[u8]| {
        let directory = tempfile::tempdir().expect("directory");
        write(directory.path(), &[("u.genre", GENRES.as_bytes()), ("u.item", item), ("u.data", data)]);
        match movielens::read(directory.path()) {
            Ok(imported) => imported.report.first_refused.join("\n"),
            Err(error) => error.to_string(),
        }
    };
    for (error, file_line, what) in [
        (movielens(item, b"1\t1\t4\t881250949\n1\t2\t9\t1\n"), "u.data:2:", "rating is \"9\""),
        (movielens(item, b"1\t1\t4.3\t5\n"), "u.data:1:", "rating is \"4.3\""),
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
        mind::read(&[directory.path()]).err().expect("nothing of it can be read").to_string()
    };
    let news = b"N1\ta\tb\tc\n";
    for (error, file_line, what) in [
        (mind(b"N1\tnews\n", b""), "news.tsv:1:", "has 2 fields"),
        (mind(b"\ta\tb\tc\n", b""), "news.tsv:1:", "news id is empty"),
        (mind(news, b"1\tU1\tyesterday\t\tN1-0\n"), "behaviors.tsv:1:", "time is \"yesterday\""),
        (mind(news, b"\n1\tU1\t11/12/2019 1:00:00 PM\t\tN1 N2-1\n"), "behaviors.tsv:2:", "shown has \"N1\""),
    ] {
        assert!(error.contains(file_line) && error.contains(what), "{error}");
    }
    let empty = tempfile::tempdir().expect("directory");
    let error = movielens::read(empty.path()).err().expect("nothing there").to_string();
    assert!(error.contains("none of u.data") && error.contains("ratings.csv"), "{error}");
}
