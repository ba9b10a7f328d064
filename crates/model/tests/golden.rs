//! Golden files: stored forms as earlier versions of the program wrote them, which are read for good.
//!
//! `NEARLINE_WRITE_GOLDEN=1 cargo test -p nearline-model --test golden` writes the files that are not
//! there yet; a file that is there is never written again. A new version of a form gets a new file.

#[path = "golden/facts.rs"]
mod facts;

use nearline_model::Position;
use nearline_model::aggregates::{Added, OPENING, SNAPSHOT_VERSION};
use nearline_model::delta::{
    ArmCell, ArmCounts, Candidate, Cell, Contest, Counts, DELTA_VERSION, Opening, PlaceCell, PositionBand,
    Probe, ReturnBand, ReturnCell, ReturnCounts, Showing, TakeCounts, VariantCell,
};
use nearline_model::member::attribution::{Impression, OpenEvents, OpenPlay, TakenPlay};
use nearline_model::member::recent_ids::RecentIds;
use nearline_model::member::{Listed, MEMBER_VERSION, Opinion, Watched};
use nearline_model::settings::AggregateSettings;
use nearline_model::symbols::{NONE, Symbol};
use nearline_model::versioned::DecodeError;
use nearline_model::{Aggregates, Delta, FoldSettings, Member, PartitionId};
use std::path::PathBuf;
use std::sync::Arc;

const NOW_MS: i64 = 1_772_396_100_250;
const PARTITIONS: u16 = 4;

fn golden(name: &str, written_today: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("NEARLINE_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, written_today).expect("golden files are written in a checkout");
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// As version 1 knew it.
fn member_v1() -> Member {
    let settings = FoldSettings::default();
    let mut recent = RecentIds::default();
    for (id, log_s) in [(0x0123_4567_89ab_cdef, 1_772_396_000), (u64::MAX, 1_772_396_000), (1, 1_772_396_099)]
    {
        recent.insert(id, log_s, &settings);
    }
    let watched = |title, at_s: i64, position, watched_s, duration_s| Watched {
        title,
        at_ms: at_s * 1_000,
        position,
        watched_s,
        watched_ms: if watched_s > 0 { at_s * 1_000 } else { 0 },
        duration_s,
        duration_ms: if duration_s > 0 { at_s * 1_000 } else { 0 },
        plays: 1,
    };
    let opinion = |title, thumb, rating_tenths| Opinion { title, thumb, rating_tenths, ..Opinion::default() };
    let [country, device, row] = [4, 5, 6].map(Symbol);
    let [artwork, segment, variant] = [NONE; 3];
    let shown = |request, title, at_ms, position, propensity| {
        let title = Symbol(title);
        Impression {
            request,
            title,
            at_ms,
            country,
            device,
            row,
            artwork,
            segment,
            position,
            propensity,
            variant,
        }
    };
    Member {
        history: vec![
            watched(Symbol(1), 1_772_000_000, Position(17), 0, 0),
            // Late, and stored behind the next one: read in the order of event time.
            watched(Symbol(2), 1_772_380_000, Position(9_000_000_007), 0, 2_700),
            watched(Symbol(300), 1_772_390_000, Position(9_000_000_001), 1_200, 5_400),
        ],
        seen: [70_000, 3].map(Symbol).to_vec(),
        list: [2, 8].map(|title| Listed { title: Symbol(title), at_ms: 0 }).to_vec(),
        unlisted: Vec::new(),
        opinions: vec![opinion(Symbol(1), -1, 0), opinion(Symbol(300), 2, 45)],
        open: OpenEvents {
            impressions: vec![
                shown(0xfeed_beef, 9, NOW_MS - 60_000, Some(3), Some(0.25)),
                shown(0, 10, NOW_MS, None, None),
            ],
            plays: vec![OpenPlay { request: 77, title: Symbol(11), at_ms: NOW_MS - 500 }],
            ..OpenEvents::default()
        },
        recent,
        newest_ms: NOW_MS,
        forgotten_ms: 1_700_000_000_000,
        introduced: 0,
    }
}

/// As version 2 knew it.
fn member_v2() -> Member {
    let mut member = member_v1();
    member.open.impressions[1].variant = Symbol(12);
    (member.open.impressions[1].artwork, member.open.impressions[1].segment) = (Symbol(15), Symbol(16));
    let band = Some(PositionBand::of(31));
    let [country, device, row, variant, title] = [4, 5, 6, 12, 13].map(Symbol);
    let showing = Showing { title, epoch: 984_660, country, device, row, band, variant };
    member.open.taken = vec![
        TakenPlay { at_ms: NOW_MS - 3_600_000, showing },
        TakenPlay { at_ms: NOW_MS - 1, showing: Showing { row: NONE, band: None, variant: NONE, ..showing } },
    ];
    member.open.watched = vec![(Symbol(14), NOW_MS - 30_000)];
    member
}

/// As version 3 knew it.
fn member_v3() -> Member {
    let mut member = member_v2();
    for (watched, millis) in member.history.iter_mut().zip([1, 0, 999]) {
        watched.at_ms += millis;
    }
    member.history[0].watched_ms = 1_772_000_000_000;
    (member.history[2].watched_ms, member.history[2].duration_ms) = (1_772_390_000_999, 1_772_389_000_000);
    (member.list[0].at_ms, member.list[1].at_ms) = (NOW_MS - 7_000_000, NOW_MS);
    member.unlisted = vec![Listed { title: Symbol(17), at_ms: NOW_MS - 1 }];
    member.opinions[0].thumb_ms = NOW_MS - 86_400_000;
    (member.opinions[1].thumb_ms, member.opinions[1].rating_ms) = (NOW_MS - 5, NOW_MS - 3_600_000);
    let withdrawn =
        Opinion { title: Symbol(8), thumb_ms: NOW_MS - 4, rating_ms: NOW_MS - 9, ..Opinion::default() };
    member.opinions.push(withdrawn);
    member.introduced = 12;
    member
}

fn member() -> Member {
    let mut member = member_v3();
    (member.history[0].plays, member.history[1].plays, member.history[2].plays) = (300, 0, 1);
    member
}

/// As version 1 knew them.
fn deltas_v1() -> [Delta; 2] {
    let strings = |texts: &[&str]| texts.iter().map(|text| Arc::from(*text)).collect::<Vec<Arc<str>>>();
    let cell = |title, epoch, country, device, [impressions, attributed, plays]: [u32; 3]| Cell {
        title,
        epoch,
        country,
        device,
        counts: Counts { impressions, attributed, plays, quality: 0 },
    };
    let first = Delta {
        partition: PartitionId(2),
        after: Position::START,
        position: Position(300),
        strings: strings(&["", "heat", "BR", "tv", "ran", "alien"]),
        cells: vec![cell(1, 984_664, 2, 3, [10, 4, 5]), cell(4, 984_660, 0, 3, [0, 0, 2])],
        transitions: vec![1, 2, 4, 5, 4, 1, 5],
        ..Delta::default()
    };
    let second = Delta {
        partition: PartitionId(0),
        after: Position::START,
        position: Position(128),
        strings: strings(&["", "ran", "JP"]),
        cells: vec![cell(1, 984_666, 2, 0, [7, 1, 1])],
        ..Delta::default()
    };
    [first, second]
}

fn deltas() -> [Delta; 2] {
    let [mut first, second] = deltas_v1();
    first.cells[0].counts.quality = 3;
    first.strings.extend(["top10", "home-b"].map(Arc::from));
    let counts = |impressions, attributed, quality| TakeCounts { impressions, attributed, quality };
    let place = |row, position: Option<u32>, counts| {
        let band = position.map(PositionBand::of);
        PlaceCell { title: 1, epoch: 984_664, row, band, counts }
    };
    first.places = vec![place(0, Some(3), counts(2, 0, 0)), place(6, Some(60), counts(8, 4, 3))];
    first.strings.extend(["heat-a0", "heat-a1", "drama"].map(Arc::from));
    let arm = |artwork, segment, impressions, takes| ArmCell {
        title: 1,
        artwork,
        segment,
        epoch: 984_664,
        counts: ArmCounts { impressions, takes },
    };
    first.arms = vec![arm(8, 10, 7, 2), arm(9, 0, 3, 0)];
    first.variants = vec![VariantCell { variant: 7, epoch: 984_664, counts: counts(5, 2, 1) }];
    [first, second]
}

/// With what version 3 added.
fn deltas_v3() -> [Delta; 2] {
    let [mut first, mut second] = deltas();
    let probe = |member, position, run, is_repeat: bool| Probe {
        member,
        position,
        epoch: 984_664,
        again: is_repeat.then_some(u32::MAX),
        run,
    };
    first.probes = vec![probe(0xfeed, Position(17), 0, false), probe(0xbeef, Position(300), 1, true)];
    first.openings = vec![Opening { title: first.cells[0].title, epoch: 984_664, plays: 2 }];
    second.erased = vec![0xfeed];
    [first, second]
}

/// With what version 4 added.
fn deltas_v4() -> [Delta; 2] {
    let [mut first, second] = deltas_v3();
    first.probes[1].again = Some(3);
    let counts = |exposed, repeated| ReturnCounts { exposed, repeated };
    first.returns = vec![
        ReturnCell { band: 6, counts: counts(9, 2) },
        ReturnCell { band: 40, counts: counts(1_000_000, 1) },
    ];
    [first, second]
}

/// With what version 5 added.
fn deltas_v5() -> [Delta; 2] {
    let [mut first, second] = deltas_v4();
    let candidate = |title, position: Option<u32>, shown_before| Candidate {
        title,
        band: position.map(PositionBand::of),
        shown_before,
    };
    first.contests = vec![
        Contest {
            member: 0xfeed,
            position: Position(17),
            at_s: 1_772_396_100,
            candidates: vec![candidate(1, Some(3), 0), candidate(4, None, 2), candidate(5, Some(60), 255)],
            sources: vec![5, 4],
        },
        Contest {
            member: 0xbeef,
            position: Position(300),
            at_s: 1_772_396_101,
            candidates: vec![candidate(4, Some(0), 0), candidate(1, Some(1), 0)],
            sources: Vec::new(),
        },
    ];
    [first, second]
}

fn sums_of(deltas: &[Delta]) -> Aggregates {
    let mut aggregates = Aggregates::new(PARTITIONS, AggregateSettings::default());
    for delta in deltas {
        assert_eq!(aggregates.add(delta), Added::Now);
    }
    aggregates
}

fn aggregates() -> Aggregates {
    sums_of(&deltas())
}

/// A form that is written no more.
fn golden_of_old(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn member_version_1_is_read_for_good() {
    assert_eq!(Member::decode(&golden_of_old("member-v1.bin")), Ok(member_v1()));
}

#[test]
fn delta_version_1_is_read_for_good() {
    let [delta, _] = deltas_v1();
    assert_eq!(Delta::decode(&golden_of_old("delta-v1.bin")), Ok(delta));
}

#[test]
fn aggregates_version_1_are_read_for_good_and_written_in_the_newest() {
    let stored = golden_of_old("aggregates-v1.bin");
    let read = Aggregates::decode(&stored, PARTITIONS, &AggregateSettings::default());
    let read = read.expect("version 1 is read for good");
    assert_eq!(read.positions(), [128, 0, 300, 0].map(Position));
    assert_eq!((read.newest_epoch(), read.title_count(), read.transition_count()), (984_666, 3, 3));
    let title = |id| read.title(id).expect("counted");
    assert_eq!([read.plays(title("heat")), read.plays(title("ran")), read.plays(title("alien"))], [5, 3, 0]);
    let brazil = read.counters("country:BR").and_then(|table| table.title(title("heat"))).expect("counted");
    let counts = Counts { impressions: 10, attributed: 4, plays: 5, quality: 0 };
    assert_eq!(brazil.epochs, [(984_664, counts)]);
    let pair = read.transitions().after(title("ran")).expect("followed").get(title("heat"));
    assert!((pair.next() - 1.0).abs() < 1e-3, "{pair:?}");
    assert!(read.arms().is_empty());
}

#[test]
fn member_version_2_is_read_for_good() {
    assert_eq!(Member::decode(&golden_of_old("member-v2.bin")), Ok(member_v2()));
}

#[test]
fn member_version_3_is_read_for_good() {
    assert_eq!(Member::decode(&golden_of_old("member-v3.bin")), Ok(member_v3()));
}

#[test]
fn member_version_4_is_read_and_written_as_ever() {
    let stored = golden("member-v4.bin", &member().encode());
    assert_eq!(Member::decode(&stored).expect("version 4 is read for good"), member());
    assert_eq!(member().encode(), stored, "the form changed: give it a new version");
}

#[test]
fn delta_version_2_is_read_for_good() {
    let [delta, _] = deltas();
    assert_eq!(Delta::decode(&golden_of_old("delta-v2.bin")), Ok(delta));
}

#[test]
fn delta_version_3_is_read_for_good() {
    for (name, delta) in ["delta-v3.bin", "delta-v3-erased.bin"].into_iter().zip(deltas_v3()) {
        assert_eq!(Delta::decode(&golden_of_old(name)), Ok(delta));
    }
}

#[test]
fn delta_version_4_is_read_for_good() {
    for (name, delta) in ["delta-v4.bin", "delta-v4-erased.bin"].into_iter().zip(deltas_v4()) {
        assert_eq!(Delta::decode(&golden_of_old(name)), Ok(delta));
    }
}

#[test]
fn delta_version_5_is_read_and_written_as_ever() {
    for (name, delta) in ["delta-v5.bin", "delta-v5-erased.bin"].into_iter().zip(deltas_v5()) {
        let stored = golden(name, &delta.encode());
        assert_eq!(Delta::decode(&stored).expect("version 5 is read for good"), delta);
        assert_eq!(delta.encode(), stored, "the form changed: give it a new version");
    }
}

#[test]
fn aggregates_version_3_are_read_for_good_and_written_in_the_newest() {
    let stored = golden_of_old("aggregates-v3.bin");
    let read = Aggregates::decode(&stored, PARTITIONS, &AggregateSettings::default());
    let read = read.expect("version 3 is read for good");
    assert_eq!(read.encode(), sums_of(&deltas_v3()).encode(), "only what version 3 did not know differs");
    assert!(!read.returns().are_any());
}

#[test]
fn aggregates_version_4_are_read_for_good_and_written_in_the_newest() {
    let stored = golden_of_old("aggregates-v4.bin");
    let read = Aggregates::decode(&stored, PARTITIONS, &AggregateSettings::default());
    let read = read.expect("version 4 is read for good");
    // All its impressions are of epochs that are kept.
    assert_eq!(read.encode(), sums_of(&deltas_v4()).encode());
}

#[test]
fn aggregates_version_5_are_read_for_good_and_written_in_the_newest() {
    let aggregates = sums_of(&deltas_v4());
    let stored = golden_of_old("aggregates-v5.bin");
    let read = Aggregates::decode(&stored, PARTITIONS, &AggregateSettings::default());
    let read = read.expect("version 5 is read for good");
    let impressions = |id| read.title(id).map(|title| read.impressions(title));
    assert_eq!([impressions("heat"), impressions("ran"), impressions("?")], [Some(10), Some(7), None]);
    assert!(read.returns().chance(ReturnBand::of(1, 2)) > 0.0);
    assert_eq!(read.encode(), aggregates.encode());
    let probes: Vec<_> = read.probes().iter().collect();
    assert_eq!(probes.len(), 2, "one member of another partition was erased: {probes:?}");
    assert_eq!((probes[1].position, probes[1].again, probes[1].sources.len()), (Position(300), Some(3), 1));
    let openings = read.counters(OPENING).expect("counted");
    assert_eq!(openings.titles().count(), 1);
    assert!(openings.popularity().maxima().greatest() > 0.0);
}

#[test]
fn aggregates_version_6_are_read_and_written_as_ever() {
    let aggregates = sums_of(&deltas_v5());
    let stored = golden("aggregates-v6.bin", &aggregates.encode());
    let read = Aggregates::decode(&stored, PARTITIONS, &AggregateSettings::default());
    let read = read.expect("version 6 is read for good");
    assert_eq!(read.encode(), stored);
    assert_eq!(aggregates.encode(), stored, "the form changed: give it a new version");
    let contests: Vec<_> = read.contests().by_partition().flatten().collect();
    assert_eq!(contests.len(), 2, "one member of another partition was erased: {contests:?}");
    let title = |id| read.title(id).expect("counted");
    let [played, .., last] = &*contests[0].candidates else { panic!("{contests:?}") };
    assert_eq!((played.title, played.shown_before), (title("heat"), 0));
    assert_eq!((last.title, last.shown_before), (title("alien"), 255));
    assert_eq!(*contests[0].sources, [title("alien"), title("ran")]);
}

#[test]
fn aggregates_version_2_are_read_for_good_and_written_in_the_newest() {
    let stored = golden_of_old("aggregates-v2.bin");
    let read = Aggregates::decode(&stored, PARTITIONS, &AggregateSettings::default());
    let read = read.expect("version 2 is read for good");
    let heat = read.title("heat").expect("counted");
    let mut arms: Vec<_> =
        read.arms().of_title(heat).map(|(artwork, segment, _)| (artwork, segment)).collect();
    arms.sort_unstable();
    assert_eq!(arms, [("heat-a0", "drama"), ("heat-a1", "")]);
    assert_eq!(aggregates().encode(), read.encode(), "only what version 2 did not know differs");
    assert_eq!(read.variants().collect::<Vec<_>>(), [("home", "b")]);
    let variant = read.variant_counts("home", "b").expect("counted").totals();
    assert_eq!((variant.impressions, variant.attributed, variant.quality), (5, 2, 1));
    let heat = read.title("heat").expect("counted");
    let counts = |dimension| {
        let counters = read.counters(dimension)?.title(heat)?;
        Some(
            counters.epochs.iter().map(|(_, c)| (c.impressions, c.attributed, c.quality)).collect::<Vec<_>>(),
        )
    };
    assert_eq!(counts("country:BR"), Some(vec![(10, 4, 3)]));
    assert_eq!(counts("row:top10"), Some(vec![(8, 4, 3)]));
    assert_eq!(counts("position:3"), Some(vec![(2, 0, 0)]));
    assert_eq!(counts("position:50+"), Some(vec![(8, 4, 3)]));
    assert_eq!(read.places().title(heat).iter().map(|sum| sum.impressions).sum::<u64>(), 10);
}

#[test]
fn a_delta_that_names_strings_it_does_not_have_is_refused() {
    let [good, _] = deltas_v5();
    assert_eq!(good.check(), Ok(()));
    let spoilers: [fn(&mut Delta); 13] = [
        |delta| delta.openings.push(Opening { title: 99, epoch: 1, plays: 1 }),
        |delta| delta.probes.push(Probe { member: 1, position: Position(1), epoch: 1, again: None, run: 99 }),
        |delta| delta.cells[0].title = 99,
        |delta| delta.cells[1].country = 99,
        |delta| delta.cells[1].device = 99,
        |delta| delta.transitions[0] = 99,
        |delta| delta.transitions[2] = 99,
        |delta| delta.transitions[1] = 99,
        |delta| delta.places[1].row = 99,
        |delta| delta.variants[0].variant = u32::MAX,
        |delta| delta.contests[0].sources[0] = 99,
        |delta| delta.contests[1].candidates[1].title = 99,
        |delta| delta.strings.clear(),
    ];
    for (number, spoil) in spoilers.into_iter().enumerate() {
        let mut damaged = good.clone();
        spoil(&mut damaged);
        let refused = Delta::decode(&damaged.encode());
        assert!(matches!(refused, Err(DecodeError::Damaged { .. })), "spoiler {number}: {refused:?}");
        // One that never was encoded is not checked; it must not end the program all the same.
        let mut aggregates = Aggregates::new(PARTITIONS, AggregateSettings::default());
        assert_eq!(aggregates.add(&damaged), Added::Now, "spoiler {number}");
    }
}

#[test]
fn versions_from_the_future_and_damaged_bytes_are_refused() {
    let forms = [
        (
            member().encode(),
            MEMBER_VERSION,
            (|b| Member::decode(b).err()) as fn(&[u8]) -> Option<DecodeError>,
        ),
        (deltas_v5()[0].encode(), DELTA_VERSION, |b| Delta::decode(b).err()),
        (aggregates().encode(), SNAPSHOT_VERSION, |b| {
            Aggregates::decode(b, PARTITIONS, &AggregateSettings::default()).err()
        }),
    ];
    for (bytes, newest, refusal) in forms {
        let mut future = bytes.clone();
        future[0] = newest + 1;
        let refused = refusal(&future).expect("from the future");
        assert!(matches!(refused, DecodeError::UnknownVersion { .. }), "{refused}");
        for length in 0..bytes.len() {
            let refused = refusal(&bytes[..length]).unwrap_or_else(|| panic!("{length} bytes were read"));
            assert!(matches!(refused, DecodeError::Damaged { .. }), "{refused}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(refusal(&longer).is_some(), "a byte too many");
    }
}

#[test]
fn aggregates_of_other_partitions_or_settings_are_refused() {
    let stored = aggregates().encode();
    let settings = AggregateSettings::default();
    assert!(Aggregates::decode(&stored, PARTITIONS + 1, &settings).is_err());
    let other = AggregateSettings { trend_half_life_epochs: 7, ..settings };
    assert!(Aggregates::decode(&stored, PARTITIONS, &other).is_err());
}

#[test]
fn suspects_and_quarantined_events_are_read_for_good() {
    use nearline_model::quarantine::{QUARANTINED_VERSION, SUSPECTS_VERSION};
    use nearline_model::quarantine::{Quarantined, Suspects};
    assert_eq!((QUARANTINED_VERSION, SUSPECTS_VERSION), (1, 1), "a new version needs a new file");
    let entry = Quarantined::new(Position(9_000_000_007), 3, "index out of bounds: the len is 3", NOW_MS);
    assert_eq!(Quarantined::decode(&golden("quarantined-v1.bin", &entry.encode())), Ok(entry));
    let mut suspects = Suspects::default();
    suspects.crashed(Position(9_000_000_007), "first");
    suspects.crashed(Position(17), "other");
    suspects.crashed(Position(9_000_000_007), "again");
    assert_eq!(Suspects::decode(&golden("suspects-v1.bin", &suspects.encode())), Ok(suspects));
}
