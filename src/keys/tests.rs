//! What the ring lets in.

use super::*;
use std::fmt::Write as _;

const NOW_MS: i64 = 1_790_000_000_000;

/// A file of keys, and the keys themselves.
fn ring(entries: &[(&str, &str)]) -> (tempfile::TempDir, KeyRing, Vec<String>) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("keys.toml");
    let keys = write(&file, entries);
    let section = AccessSection { keys_file: file.display().to_string(), insecure: false };
    (directory, KeyRing::open(&section).expect("keys"), keys)
}

fn write(file: &Path, entries: &[(&str, &str)]) -> Vec<String> {
    let mut text = String::new();
    let mut keys = Vec::new();
    for (name, rest) in entries {
        let (key, digest) = draw().expect("random bits");
        writeln!(text, "[[keys]]\nname = \"{name}\"\nsha256 = \"{digest}\"\n{rest}").expect("written");
        keys.push(key);
    }
    std::fs::write(file, text).expect("written");
    keys
}

#[test]
fn a_key_is_good_for_its_scopes_until_it_ends_and_admin_for_all() {
    let (_directory, ring, keys) = ring(&[
        ("player", "scopes = [\"publish\"]\nexpires = \"2030-01-01T00:00:00Z\""),
        ("boss", "scopes = [\"admin\"]"),
    ]);
    let name = |caller: Caller| caller.0.map(|name| name.to_string());
    let check = |key: &str, scope| ring.check(Some(key), &[scope], NOW_MS);
    assert_eq!(check(&keys[0], Scope::Publish).map(name), Ok(Some("player".into())));
    assert_eq!(check(&keys[0], Scope::Query), Err(Refusal::NotFor("player".into(), vec![Scope::Query])));
    let of_two = ring
        .check(Some(&keys[0]), &[Scope::Query, Scope::Catalogue], NOW_MS)
        .map_err(|refusal| refusal.to_string());
    assert!(of_two.is_err_and(|says| says.ends_with("it needs the scope `query` or `catalogue`")));
    for scope in [Scope::Publish, Scope::Query, Scope::Catalogue, Scope::Admin] {
        assert_eq!(check(&keys[1], scope).map(name), Ok(Some("boss".into())));
    }
    assert_eq!(ring.check(None, &[Scope::Query], NOW_MS), Err(Refusal::Missing));
    for wrong in ["", "nl_", &keys[0][1..], &format!("{}x", keys[0]), &keys[0].to_uppercase()] {
        assert_eq!(check(wrong, Scope::Publish), Err(Refusal::Unknown), "{wrong}");
    }
    let end_ms = 1_893_456_000_000;
    assert!(ring.check(Some(&keys[0]), &[Scope::Publish], end_ms - 1).is_ok());
    assert_eq!(ring.check(Some(&keys[0]), &[Scope::Publish], end_ms), Err(Refusal::Ended("player".into())));
    assert_eq!((ring.next_end_ms(end_ms - 7), ring.next_end_ms(end_ms + 5)), (Some(7), Some(-5)));
}

#[test]
fn a_key_that_has_a_successor_is_not_the_next_to_end() {
    let of = |ends: &[&str]| -> Vec<(&str, String)> {
        let with = |end: &&str| format!("scopes = [\"query\"]\n{end}");
        ends.iter()
            .map(|end| ("tv", with(end)))
            .chain([("web", with(&"expires = \"2031-01-01T00:00:00Z\""))])
            .collect()
    };
    let year =
        |year: i64| nearline_model::timestamp::parse_rfc3339_ms(&format!("{year}-01-01T00:00:00Z")).ok();
    for (ends, next) in [
        (&["expires = \"2030-01-01T00:00:00Z\"", "expires = \"2033-01-01T00:00:00Z\""][..], 2031),
        (&["expires = \"2030-01-01T00:00:00Z\"", ""], 2031),
        (&["expires = \"2030-01-01T00:00:00Z\""], 2030),
    ] {
        let keys = of(ends);
        let keys: Vec<(&str, &str)> = keys.iter().map(|(name, rest)| (*name, rest.as_str())).collect();
        let (_directory, ring, _) = ring(&keys);
        assert_eq!(ring.next_end_ms(0), year(next), "{ends:?}");
    }
}

#[test]
fn keys_of_one_name_share_their_allowance_and_keep_it_when_the_file_is_read_again() {
    let rest = "scopes = [\"query\"]\nrequests_per_second = 3";
    let (directory, ring, keys) = ring(&[("tv", rest), ("tv", rest), ("web", "scopes = [\"query\"]")]);
    let ask = |key: &str| ring.check(Some(key), &[Scope::Query], NOW_MS);
    for number in 0..3 {
        assert!(ask(&keys[number % 2]).is_ok());
    }
    assert!(matches!(ask(&keys[0]), Err(Refusal::TooOften(_, 3, wait)) if wait <= Duration::from_secs(1)));
    assert!(matches!(ask(&keys[1]), Err(Refusal::TooOften(..))));
    for _ in 0..100 {
        assert!(ask(&keys[2]).is_ok(), "others are not held up");
    }
    let anew = write(&directory.path().join("keys.toml"), &[("tv", rest)]);
    ring.read_again();
    assert_eq!(ask(&keys[0]), Err(Refusal::Unknown), "it was taken out");
    assert!(matches!(ask(&anew[0]), Err(Refusal::TooOften(..))), "and is no way to get a new allowance");
}

#[test]
fn a_file_that_is_spoilt_or_gone_leaves_the_keys_as_they_were() {
    let (directory, ring, keys) = ring(&[("web", "scopes = [\"query\"]")]);
    let file = directory.path().join("keys.toml");
    std::fs::write(&file, "[[keys]]\nname = ").expect("written");
    ring.read_again();
    assert!(ring.check(Some(&keys[0]), &[Scope::Query], NOW_MS).is_ok());
    std::fs::remove_file(&file).expect("removed");
    ring.read_again();
    assert!(ring.check(Some(&keys[0]), &[Scope::Query], NOW_MS).is_ok());
    let section = AccessSection { keys_file: file.display().to_string(), insecure: true };
    assert!(KeyRing::open(&section).is_err(), "a start without them does not open the door");
    std::fs::write(&file, "").expect("written");
    ring.read_again();
    assert!(ring.check(Some(&keys[0]), &[Scope::Query], NOW_MS).is_ok(), "it may be being written");
    ring.read_again();
    assert_eq!(
        ring.check(Some(&keys[0]), &[Scope::Query], NOW_MS),
        Err(Refusal::Unknown),
        "nor does an empty one"
    );
}

#[test]
fn keys_are_long_differ_and_hash_to_what_is_printed() {
    let drawn: Vec<_> = (0..100).map(|_| draw().expect("random bits")).collect();
    let distinct: std::collections::BTreeSet<_> = drawn.iter().map(|(key, _)| key).collect();
    assert_eq!(distinct.len(), drawn.len());
    for (key, digest) in &drawn {
        assert_eq!((key.len(), digest.len()), (46, 64));
        assert!(key.starts_with("nl_") && !digest.contains(&key[3..]));
    }
    // The example of FIPS 180-4.
    assert_eq!(digest_of("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
}
