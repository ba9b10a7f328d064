//! Tables in an object store: what several machines write there is there once, and what is erased is gone there.

#![allow(clippy::unwrap_used)]

use nearline_model::Position;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use nearline_facts::location::Object;
use nearline_facts::{Archived, ArchivedLog, EventArchive, Limit, Location, Remote, Source};
use nearline_model::identifier::{Blocks, position_of};
use nearline_model::{LogRecord, PartitionId};

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// An object store in memory, one place of it.
#[derive(Debug, Clone, Default)]
struct Memory {
    objects: Objects,
    prefix: String,
    /// Makes the next object and says that it is there already, as one that tries again after a lost answer finds.
    loses_answer: Arc<AtomicBool>,
}

impl Memory {
    fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

impl Remote for Memory {
    fn list(&self) -> io::Result<Vec<Object>> {
        let objects = self.objects.lock().unwrap();
        let below = objects.iter().filter_map(|(name, bytes)| {
            let name = name.strip_prefix(&self.prefix)?.to_owned();
            Some(Object { name, bytes: bytes.len() as u64, modified_ms: 0 })
        });
        Ok(below.collect())
    }

    fn get(&self, name: &str) -> io::Result<Vec<u8>> {
        let objects = self.objects.lock().unwrap();
        objects.get(&format!("{}{name}", self.prefix)).cloned().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn put(&self, name: &str, bytes: Vec<u8>) -> io::Result<()> {
        self.objects.lock().unwrap().insert(format!("{}{name}", self.prefix), bytes);
        Ok(())
    }

    fn put_new(&self, name: &str, bytes: Vec<u8>) -> io::Result<bool> {
        let mut objects = self.objects.lock().unwrap();
        let key = format!("{}{name}", self.prefix);
        if objects.contains_key(&key) {
            return Ok(false);
        }
        objects.insert(key, bytes);
        Ok(!self.loses_answer.swap(false, Relaxed))
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.objects.lock().unwrap().remove(&format!("{}{name}", self.prefix));
        Ok(())
    }

    fn below(&self, name: &str) -> Arc<dyn Remote> {
        Arc::new(Self { prefix: format!("{}{name}/", self.prefix), ..self.clone() })
    }
}

fn open(store: &Memory, mirror: &Path, id: &str) -> EventArchive {
    let location = Location::mirrored(mirror, Arc::new(store.clone()));
    EventArchive::open(
        location,
        ArchivedLog { identity: "a-log", partitions: 2, blocks: Blocks::default() },
        id,
        1_000,
    )
    .unwrap()
}

fn records(numbers: std::ops::Range<u64>) -> Vec<LogRecord> {
    let record = |number: u64| {
        let position = position_of(number, PartitionId(0), 2);
        let payload = format!(
            r#"{{"id":"e{number}","type":"play","member":"m{}","title":"t1","at":"2026-03-01T20:15:00Z"}}"#,
            number % 3
        );
        LogRecord { position, log_ms: 1_772_396_100_000 + position.0 as i64, payload: payload.into() }
    };
    numbers.map(record).collect()
}

fn events(archive: &EventArchive) -> Vec<LogRecord> {
    archive.events(PartitionId(0)).flat_map(Result::unwrap).collect()
}

#[test]
fn two_machines_add_each_event_once_and_a_third_reads_all_of_them() {
    let (store, folder) = (Memory::default(), tempfile::tempdir().unwrap());
    let mirror = |name: &str| folder.path().join(name);
    let (mut one, mut other) = (open(&store, &mirror("one"), "one"), open(&store, &mirror("other"), "other"));
    let mut overtaken = 0;
    for step in 0..20 {
        let archive = if step % 3 == 0 { &mut other } else { &mut one };
        let from = nearline_model::identifier::sequence_of(archive.last(PartitionId(0)), PartitionId(0), 2);
        let from = from.unwrap_or_default() + 1;
        let added = archive.add(PartitionId(0), &records(from..from + 10), &format!("n{step}"), 2_000);
        overtaken += u64::from(matches!(added.unwrap(), Archived::Overtaken { .. }));
    }
    assert!(overtaken > 3, "{overtaken}");
    let read = open(&store, &mirror("third"), "third");
    let count = read.table().files().count() as u64;
    assert_eq!(events(&read), records(1..count * 10 + 1));
    assert_eq!(read.table().left_behind().unwrap(), [], "what was overtaken left nothing there");
    let location = Location::mirrored(&mirror("fourth"), Arc::new(store.clone()));
    location.fetch_all().unwrap();
    assert_eq!(Source::open(&[mirror("fourth")]).unwrap().rows(), count * 10);
}

#[test]
fn threads_share_a_mirror_that_is_still_empty() {
    let (store, folder) = (Memory::default(), tempfile::tempdir().unwrap());
    open(&store, &folder.path().join("one"), "one").add(PartitionId(0), &records(1..90), "a", 2_000).unwrap();
    for round in 0..20 {
        let mirror = folder.path().join(format!("shared{round}"));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(events(&open(&store, &mirror, "x")), records(1..90)));
            }
        });
    }
}

#[test]
fn a_commit_whose_answer_was_lost_is_a_commit() {
    let (store, folder) = (Memory::default(), tempfile::tempdir().unwrap());
    let mut archive = open(&store, &folder.path().join("one"), "one");
    store.loses_answer.store(true, Relaxed);
    let added = archive.add(PartitionId(0), &records(1..30), "a", 2_000).unwrap();
    assert!(matches!(added, Archived::Added { .. }), "{added:?}");
    assert_eq!(events(&open(&store, &folder.path().join("other"), "other")), records(1..30));
}

#[test]
fn an_erased_member_is_gone_from_the_store_and_from_mirrors_that_are_brought_up_to_date() {
    let (store, folder) = (Memory::default(), tempfile::tempdir().unwrap());
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    open(&store, &one, "one").add(PartitionId(0), &records(1..30), "a", 2_000).unwrap();
    let mirror = Location::mirrored(&other, Arc::new(store.clone()));
    mirror.fetch_all().unwrap();
    // Of an archiver that died before its commit.
    let orphan = store
        .objects
        .lock()
        .unwrap()
        .iter()
        .find(|(name, _)| name.ends_with("-a.parquet"))
        .unwrap()
        .1
        .clone();
    store.put("events-p00000-00000000000000000001-00000000000000000057-dead.parquet", orphan).unwrap();
    let mut number = 0;
    let mut name = || {
        number += 1;
        format!("erased{number}")
    };
    let erased = open(&store, &folder.path().join("third"), "x").erase(
        &[("m1".into(), Limit::Everything)].into(),
        &mut name,
        9_000_000,
    );
    assert_eq!(erased.map(|erased| (erased.events, erased.files, erased.deleted)).unwrap(), (10, 1, 2));
    for (name, bytes) in &*store.objects.lock().unwrap() {
        assert!(!bytes.windows(4).any(|window| window == b"\"m1\""), "{name}");
    }
    mirror.fetch_all().unwrap();
    let left: Vec<String> = std::fs::read_dir(&other)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.ends_with("parquet"))
        .collect();
    assert!(left.len() == 1 && left[0].contains("erased"), "{left:?}");
}

#[test]
fn a_mirror_of_a_table_that_was_made_anew_is_not_taken_for_it() {
    let (store, folder) = (Memory::default(), tempfile::tempdir().unwrap());
    let mirror = folder.path().join("one");
    open(&store, &mirror, "first").add(PartitionId(0), &records(1..30), "a", 2_000).unwrap();
    store.names().iter().for_each(|name| store.delete(name).unwrap());
    let mut archive = open(&store, &mirror, "second");
    assert_eq!(archive.last(PartitionId(0)), Position::START);
    archive.add(PartitionId(0), &records(5..9), "b", 2_000).unwrap();
    assert_eq!(events(&archive), records(5..9));
}
