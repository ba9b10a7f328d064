//! An archive without what was forgotten folds to what it folded to before, and facts go with their events.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use nearline_facts::{ArchivedLog, EventArchive, FactArchive, FactTable};
use nearline_lab::audit::{AuditJob, audit};
use nearline_lab::backfill::{BackfillJob, backfill};
use nearline_model::facts::CaptureSettings;
use nearline_model::identifier::Blocks;
use nearline_model::timestamp::format_rfc3339;
use nearline_model::{FoldSettings, LogRecord, PartitionId, Position};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const START_MS: i64 = 1_772_395_200_000;
/// Histories that are tried.
const SEEDS: u64 = 60;

/// Events of four members, many of them late, and now and then one that asks to be forgotten.
fn history(dice: &mut impl Rng, numbers: std::ops::Range<u64>, log_ms: &mut i64) -> Vec<LogRecord> {
    let mut record = |number: u64| {
        *log_ms += dice.random_range(0..4_000);
        let late_ms = if dice.random_bool(0.5) { dice.random_range(0..200_000) } else { 0 };
        let (member, title) = (dice.random_range(0..4), dice.random_range(0..9));
        let about = match dice.random_range(0..10) {
            0 | 1 => r#""type":"forget""#.to_owned(),
            2 | 3 => format!(r#""type":"impression","title":"t{title}","country":"DE","device":"tv""#),
            _ => format!(r#""type":"play","title":"t{title}","country":"JP","device":"phone""#),
        };
        let at = format_rfc3339(*log_ms - late_ms);
        let payload = format!(r#"{{"id":"e{number}","member":"m{member}","at":"{at}",{about}}}"#);
        LogRecord { position: Position(number), log_ms: *log_ms, payload: payload.into() }
    };
    numbers.map(&mut record).collect()
}

fn archived(folder: &Path) -> EventArchive {
    let log = ArchivedLog { identity: "a-log", partitions: 1, blocks: Blocks::default() };
    EventArchive::open(folder, log, "an-id", START_MS).unwrap()
}

/// Facts of every change, made of the archive.
fn facts_of(archive: &Path, to: PathBuf) -> PathBuf {
    let job = BackfillJob {
        archive: archive.into(),
        to: (&to).into(),
        partitions: Vec::new(),
        file_facts: 7,
        threads: 1,
        fold: FoldSettings::default(),
        capture: CaptureSettings { every_change: true, ..CaptureSettings::default() },
    };
    backfill(&job, START_MS, &|_| {}).unwrap();
    to
}

/// What the files of a table hold, by position: of whom, and the bytes.
fn rows(folder: &Path) -> BTreeMap<i64, (String, Vec<u8>)> {
    let mut rows = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "parquet") {
            continue;
        }
        let file = std::fs::File::open(&path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let positions = batch["position"].as_primitive::<Int64Type>();
            let (members, payloads) =
                (batch["member"].as_string::<i32>(), batch["payload"].as_binary::<i32>());
            for row in 0..batch.num_rows() {
                assert!(members.is_valid(row));
                let of = (members.value(row).to_owned(), payloads.value(row).to_vec());
                rows.insert(positions.value(row), of);
            }
        }
    }
    rows
}

fn erase(archive: &Path, facts: &Path, seed: u64) -> u64 {
    let mut events = EventArchive::existing(archive).unwrap();
    let limits = events.erasable(&[], Some(&FoldSettings::default())).unwrap();
    let mut number = 0;
    let mut name = || {
        number += 1;
        format!("{seed:08x}-0000-4000-8000-{number:012x}")
    };
    let mut table = FactArchive::existing(&facts.join("members"), FactTable::Members).unwrap().unwrap();
    let erased = table.erase(&limits, &mut name, START_MS).unwrap().events;
    events.erase(&limits, &mut name, START_MS).unwrap();
    assert_eq!(events.erasable(&[], Some(&FoldSettings::default())).unwrap(), limits, "as far as before");
    erased
}

#[test]
fn what_was_forgotten_leaves_events_and_facts_and_what_comes_then_counts_as_before() {
    let (mut went, mut stayed) = (0, 0);
    for seed in 0..SEEDS {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (mut dice, mut log_ms) = (StdRng::seed_from_u64(seed), START_MS);
        let first = history(&mut dice, 1..60, &mut log_ms);
        let then = history(&mut dice, 60..90, &mut log_ms);
        for archive in ["whole", "erased"] {
            let mut archive = archived(&at(archive));
            let parts = first.chunks(25).enumerate();
            parts.for_each(|(part, records)| {
                archive.add(PartitionId(0), records, &format!("n{part}"), START_MS).unwrap();
            });
        }
        let facts = facts_of(&at("whole"), at("facts"));
        went += erase(&at("erased"), &facts, seed);
        // Facts go with their events.
        let (events, left) = (rows(&at("erased")), rows(&facts.join("members")));
        stayed += left.len();
        let positions: BTreeSet<_> = events.keys().collect();
        assert!(left.keys().all(|position| positions.contains(position)), "seed {seed}");
        let job = AuditJob {
            archive: at("erased"),
            facts: facts.clone(),
            sample: 1.0,
            refold: true,
            fold: FoldSettings::default(),
            capture: CaptureSettings::default(),
        };
        let refolded = audit(&job).unwrap().refolded.unwrap();
        assert_eq!(refolded.equal, refolded.facts, "seed {seed}: {refolded:?}");
        // What comes then counts as it would have.
        for archive in ["whole", "erased"] {
            archived(&at(archive)).add(PartitionId(0), &then, "then", START_MS).unwrap();
        }
        let [whole, erased] = ["whole", "erased"].map(|archive| {
            let made = facts_of(&at(archive), at(&format!("again-{archive}")));
            rows(&made.join("members")).split_off(&60)
        });
        assert_eq!(whole, erased, "seed {seed}");
    }
    assert!(went > 500 && stayed > 500, "{went} facts went, {stayed} stayed");
}
