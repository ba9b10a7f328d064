//! Random bytes, and golden files that were spoiled.

use nearline_fuzz::{FORMS, event, expression, stored, title};
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::LazyLock;

/// What is given bytes.
type Reads = fn(&[u8]);

/// Golden files, each behind the number of its form.
static GOLDEN: LazyLock<Vec<Vec<u8>>> = LazyLock::new(golden);

fn golden() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests/golden");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("golden files") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let form = FORMS.iter().position(|(form, _)| name.split('-').next() == Some(form));
        if let Some(form) = form.filter(|_| name.ends_with(".bin")) {
            let bytes = std::fs::read(&path).expect("read");
            found.push([&[form as u8], &bytes[..]].concat());
        }
    }
    found.sort();
    found
}

/// A place in a text, as a share of it, and what becomes of it there.
#[derive(Debug, Clone)]
enum Spoiled {
    Other(f64, u8),
    More(f64, Vec<u8>),
    Without(f64, usize),
}

fn spoiled() -> impl Strategy<Value = Spoiled> {
    prop_oneof![
        (0.0..1.0, any::<u8>()).prop_map(|(at, byte)| Spoiled::Other(at, byte)),
        (0.0..1.0, vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Spoiled::More(at, bytes)),
        (0.0..1.0, 1..20_usize).prop_map(|(at, count)| Spoiled::Without(at, count)),
    ]
}

/// The first byte stays: it says what the others are.
fn spoil(bytes: &mut Vec<u8>, how: &Spoiled) {
    let place = |at: &f64, bytes: &[u8]| 1 + (at * (bytes.len() - 1) as f64) as usize;
    match how {
        Spoiled::Other(at, byte) if bytes.len() > 1 => {
            let at = place(at, bytes).min(bytes.len() - 1);
            bytes[at] = *byte;
        }
        Spoiled::More(at, more) => {
            let at = place(at, bytes);
            bytes.splice(at..at, more.iter().copied());
        }
        Spoiled::Without(at, count) => {
            let at = place(at, bytes);
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Spoiled::Other(..) => {}
    }
}

#[test]
fn each_golden_file_is_read_and_written_again() {
    assert!(GOLDEN.len() >= 20, "{} golden files", GOLDEN.len());
    for bytes in GOLDEN.iter() {
        let (name, read) = FORMS[usize::from(bytes[0])];
        let written = read(&bytes[1..]);
        assert!(written.is_ok(), "{name}: {:?}", written.err());
        stored(bytes);
    }
}

/// What a fuzzer has found once, and what it begins with.
#[test]
fn each_kept_input_is_read_or_refused() {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("targets/corpus");
    let targets: [(&str, Reads); 4] =
        [("event", event), ("title", title), ("expression", expression), ("stored", stored)];
    for (name, read) in targets {
        let mut seen = 0;
        for entry in std::fs::read_dir(corpus.join(name)).expect("a corpus") {
            read(&std::fs::read(entry.expect("an entry").path()).expect("read"));
            seen += 1;
        }
        assert!(seen > 0, "{name}: nothing is kept");
    }
}

const EVENT: &str = r#"{"id":"e1","type":"progress","member":"m1","title":"t1","at":"2026-03-01T20:15:00.5+01:00","watched_s":3,"value":0.5,"position":1,"propensity":0.5}"#;
const TITLE: &str = r#"{"id":"t1","name":"A","genres":["Drama"],"countries":["BR"],"maturity":16,"year":1999,"artworks":["a"]}"#;
const EXPRESSION: &str =
    r#"title.year >= 1999 && !("Drama" in title.genres) || context.hour % 2 == 0 ? 1.5 : -member.plays"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..600)) {
        event(&bytes);
        title(&bytes);
        expression(&bytes);
        stored(&bytes);
    }

    #[test]
    fn spoiled_golden_files_are_read_or_refused(which in any::<prop::sample::Index>(), how in vec(spoiled(), 1..5)) {
        let mut bytes = GOLDEN[which.index(GOLDEN.len())].clone();
        how.iter().for_each(|how| spoil(&mut bytes, how));
        stored(&bytes);
    }

    #[test]
    fn spoiled_texts_are_read_or_refused(which in 0..3_usize, how in vec(spoiled(), 1..6)) {
        let (text, read): (&str, Reads) = [(EVENT, event as Reads), (TITLE, title), (EXPRESSION, expression)][which];
        let mut bytes = [b" ", text.as_bytes()].concat();
        how.iter().for_each(|how| spoil(&mut bytes, how));
        read(&bytes[1..]);
    }
}
