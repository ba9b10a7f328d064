//! Damage to the embedded directory stops the start, changes nothing, and what is left can be saved.

use bytes::Bytes;
use nearline_backends::embedded::{EmbeddedSettings, Gone, Repaired, open, repair};
use nearline_model::Position;
use nearline_ports::{Appended, NewEvent, PortError, Ports};
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const PARTITIONS: u16 = 4;
const EVENTS: u64 = 600;

fn settings(directory: &Path) -> EmbeddedSettings {
    EmbeddedSettings { partitions: PARTITIONS, ..EmbeddedSettings::in_directory(directory) }
}

/// A new thread's runtime: opening may block, and is asked from tests that do.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn append(ports: &Ports, prefix: &str, count: u64) -> Vec<Appended> {
    let event = |n| {
        let payload = Bytes::from(format!("{{\"id\":\"{prefix}{n}\",\"note\":\"{}\"}}", "x".repeat(40)));
        NewEvent { member: format!("m{}", n % 13), id: format!("{prefix}{n}"), payload }
    };
    // Several at a time, as they come: batches of the journal, and blocks in them.
    let groups = (0..count).step_by(5).map(|from| (from..count.min(from + 5)).map(event).collect::<Vec<_>>());
    let appended = groups.flat_map(|group| block_on(ports.log.append(group)));
    appended.map(|outcome| outcome.expect("acknowledged")).collect()
}

/// Positions of all records, read as an engine does.
fn positions(ports: &Ports) -> Vec<Position> {
    let mut found = Vec::new();
    for partition in (0..PARTITIONS).map(nearline_model::PartitionId) {
        let last = block_on(ports.log.bounds(partition)).expect("bounds").last;
        let mut reader = block_on(ports.log.open_reader(partition, Position::START)).expect("a reader");
        let mut after = Position::START;
        while after < last {
            let records = block_on(reader.next_batch(100)).expect("records");
            after = records.last().expect("some").position;
            found.extend(records.into_iter().map(|record| record.position));
        }
    }
    found.sort_unstable();
    found
}

/// A file's contents, without the zeros at its end: a journal is made with 64 MiB of them, as a hole.
#[derive(Clone, PartialEq)]
struct Contents {
    bytes: Vec<u8>,
    length: u64,
}

impl Contents {
    fn of(path: &Path) -> Self {
        let mut file = std::fs::File::open(path).expect("opened");
        let length = file.metadata().expect("known").len();
        let mut bytes = Vec::new();
        while let Ok(data) = rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(bytes.len() as u64)) {
            bytes.resize(usize::try_from(data).expect("it fits"), 0);
            let hole = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(data)).expect("an end");
            file.seek(SeekFrom::Start(data)).expect("there");
            (&file).take(hole - data).read_to_end(&mut bytes).expect("read");
        }
        bytes.truncate(used(&bytes));
        Self { bytes, length }
    }
}

struct Bed {
    directory: tempfile::TempDir,
    /// Positions that were acknowledged, in order.
    all: Vec<Position>,
}

impl Bed {
    /// A directory with [`EVENTS`] acknowledged events, closed in order.
    fn new() -> Self {
        let mut bed = Self { directory: tempfile::tempdir().expect("a directory"), all: Vec::new() };
        let ports = open(settings(&bed.data())).expect("opened");
        bed.all = append(&ports, "e", EVENTS).into_iter().map(|appended| appended.position).collect();
        bed.all.sort_unstable();
        let title = nearline_model::Title { id: "t1".into(), ..Default::default() };
        block_on(ports.catalogue.put(vec![title])).expect("put");
        drop(ports);
        bed
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn journal(&self, database: &str) -> PathBuf {
        let files = std::fs::read_dir(self.data().join(database))
            .expect("read")
            .map(|entry| entry.expect("one").path());
        let mut journals: Vec<_> =
            files.filter(|path| path.extension().is_some_and(|e| e == "jnl")).collect();
        journals.sort();
        journals.pop().expect("a journal")
    }

    /// Contents of every file but the lock.
    fn contents(&self) -> BTreeMap<PathBuf, Contents> {
        fn collect(directory: &Path, into: &mut BTreeMap<PathBuf, Contents>) {
            for entry in std::fs::read_dir(directory).expect("read").map(|entry| entry.expect("one").path()) {
                match entry.is_dir() {
                    true => collect(&entry, into),
                    false => drop(into.insert(entry.clone(), Contents::of(&entry))),
                }
            }
        }
        let mut found = BTreeMap::new();
        collect(&self.data(), &mut found);
        found.retain(|path, _| path.file_name().is_some_and(|name| name != "lock"));
        found
    }

    /// Changes a file, the hole at the end of which stays one.
    fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let Contents { mut bytes, length } = Contents::of(path);
        if bytes.is_empty() {
            bytes.resize(usize::from(length > 0), 0);
        }
        let written = bytes.len();
        edit(&mut bytes);
        std::fs::write(path, &bytes).expect("written");
        // What was cut off or added to on purpose ends there.
        if bytes.len() == written {
            std::fs::File::options()
                .write(true)
                .open(path)
                .and_then(|file| file.set_len(length))
                .expect("extended");
        }
    }

    /// Everything as it was, whatever opening has made of it.
    fn restore(&self, contents: &BTreeMap<PathBuf, Contents>) {
        std::fs::remove_dir_all(self.data()).expect("removed");
        for (path, Contents { bytes, length }) in contents {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            // With the zeros at their end as a hole.
            std::fs::write(path, bytes).expect("restored");
            let file = std::fs::File::options().write(true).open(path).expect("opened");
            file.set_len(*length).expect("extended");
        }
    }

    /// The start is refused as damage, nothing is changed, and repairing says exactly what is gone.
    fn refused_and_repaired(&self, what: &str) -> (String, Repaired) {
        let before = self.contents();
        let error = match open(settings(&self.data())).map(drop) {
            Err(error @ PortError::Damaged { .. }) => error.to_string(),
            other => panic!("{what}: expected damage, found {other:?}"),
        };
        assert!(error.contains("nearline repair"), "{what}: {error}");
        let to = self.directory.path().join("saved");
        let repaired =
            repair(&self.data(), &to, PARTITIONS).unwrap_or_else(|error| panic!("{what}: {error}"));
        let after = self.contents();
        for (path, bytes) in &before {
            assert!(after.get(path) == Some(bytes), "{what}: {} was changed", path.display());
        }
        let ports = open(settings(&to)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let saved = positions(&ports);
        let stretch = |gone: &Gone| {
            (gone.first.0..=gone.last.0).step_by(usize::from(PARTITIONS)).map(Position).collect::<Vec<_>>()
        };
        let gone: Vec<Position> = repaired.gone.iter().flat_map(stretch).collect();
        assert_eq!(gone.len() as u64, repaired.gone.iter().map(|gone| gone.events).sum::<u64>());
        let mut all = [&saved[..], &gone[..]].concat();
        all.sort_unstable();
        assert_eq!(all, self.all, "{what}: {repaired:?}");
        assert_eq!(repaired.records, saved.len() as u64);
        // What was saved goes on.
        let more = append(&ports, "more", 20);
        assert!(
            more.iter().all(|appended| !appended.duplicate && !saved.contains(&appended.position)),
            "{what}"
        );
        drop(ports);
        drop(open(settings(&to)).unwrap_or_else(|error| panic!("{what}, opened again: {error}")));
        std::fs::remove_dir_all(to).expect("removed");
        (error, repaired)
    }
}

/// Where the journal's zeros begin.
fn used(bytes: &[u8]) -> usize {
    const MANY: [u8; 4_096] = [0; 4_096];
    let mut end = bytes.len();
    while bytes[..end].ends_with(&MANY) {
        end -= MANY.len();
    }
    bytes[..end].iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
}

#[test]
fn damage_of_the_journal_stops_the_start_and_only_what_it_hit_is_gone() {
    let bed = Bed::new();
    let path = bed.journal("log");
    let whole = std::fs::read(&path).expect("read");
    let used = used(&whole);
    let restore = || std::fs::write(&path, &whole).expect("restored");
    for at in [0, 1, used / 3, used / 2, used - 20, used - 1] {
        bed.edit(&path, |bytes| bytes[at] ^= 0x20);
        let (error, repaired) = bed.refused_and_repaired(&format!("byte {at} of {used} flipped"));
        assert!(
            error.contains("is damaged from byte") || error.contains("ends at position"),
            "byte {at}: {error}"
        );
        let gone: u64 = repaired.gone.iter().map(|gone| gone.events).sum();
        assert!(gone <= 5, "one batch at most: {repaired:?}");
        restore();
    }
    bed.edit(&path, |bytes| bytes[used / 2..used / 2 + 4_096].fill(0xb7));
    let (_, repaired) = bed.refused_and_repaired("4 kB garbled");
    assert!(repaired.records > EVENTS * 3 / 4, "{repaired:?}");
    restore();
    bed.edit(&path, |bytes| bytes[used / 2..used / 2 + 4_096].fill(0));
    bed.refused_and_repaired("4 kB of zeros");
    restore();
    for length in [used / 2, used - 7, 0] {
        bed.edit(&path, |bytes| bytes.truncate(length));
        let (error, _) = bed.refused_and_repaired(&format!("cut off at {length}"));
        assert!(error.contains("was acknowledged"), "{error}");
        restore();
    }
    std::fs::remove_file(&path).expect("removed");
    bed.refused_and_repaired("the journal removed");
    // It is as it was: that is what made the difference.
    restore();
    assert_eq!(positions(&open(settings(&bed.data())).expect("opened")).len() as u64, EVENTS);
}

#[test]
fn folders_and_files_that_are_gone_or_swapped_stop_the_start() {
    let bed = Bed::new();
    let (log, aside) = (bed.data().join("log"), bed.directory.path().join("aside"));
    std::fs::rename(&log, &aside).expect("moved");
    let (error, repaired) = bed.refused_and_repaired("the log's folder removed");
    assert!(error.contains("the database is gone"), "{error}");
    assert_eq!(repaired.records, 0);
    std::fs::rename(&aside, &log).expect("moved back");

    let state = bed.data().join("state");
    std::fs::rename(&state, &aside).expect("moved");
    let (error, repaired) = bed.refused_and_repaired("the state's folder removed");
    assert!(error.contains("the state"), "{error}");
    assert_eq!((repaired.gone.len(), repaired.is_state_kept), (0, false));
    std::fs::rename(&aside, &state).expect("moved back");

    let (one, two) = (bed.journal("log"), bed.journal("state"));
    let swap = || {
        std::fs::rename(&one, &aside).expect("moved");
        std::fs::rename(&two, &one).expect("moved");
        std::fs::rename(&aside, &two).expect("moved");
    };
    swap();
    assert!(open(settings(&bed.data())).is_err(), "journals of log and state swapped");
    swap();
    assert_eq!(positions(&open(settings(&bed.data())).expect("opened")).len() as u64, EVENTS);
}

#[test]
fn a_flipped_byte_of_any_file_is_refused_or_does_no_harm() {
    let bed = Bed::new();
    let contents = bed.contents();
    for (path, whole) in &contents {
        let used = whole.bytes.len().max(1);
        for at in [0, used / 2, used - 1] {
            if at as u64 >= whole.length {
                continue;
            }
            bed.edit(path, |bytes| bytes[at] ^= 0x08);
            match open(settings(&bed.data())) {
                Ok(ports) => {
                    assert_eq!(positions(&ports).len() as u64, EVENTS, "{}, byte {at}", path.display())
                }
                Err(PortError::Damaged { .. } | PortError::Misconfigured(_)) => {}
                Err(error) => panic!("{}, byte {at}: {error}", path.display()),
            }
            bed.restore(&contents);
        }
    }
}

#[test]
fn a_record_that_was_never_acknowledged_may_be_torn() {
    let bed = Bed::new();
    let path = bed.journal("log");
    let whole = std::fs::read(&path).expect("read");
    let end = used(&whole);
    // The beginning of another batch: what a process that is killed leaves behind.
    for length in [1, 13, 60] {
        bed.edit(&path, |bytes| {
            bytes.truncate(end);
            let begun = bytes[..length].to_vec();
            bytes.extend(begun);
        });
        let ports = open(settings(&bed.data())).expect("a torn end is cut off");
        assert_eq!(positions(&ports).len() as u64, EVENTS);
        drop(ports);
    }
}

#[test]
fn a_directory_that_is_whole_is_repaired_without_loss_and_keeps_its_state() {
    let bed = Bed::new();
    let to = bed.directory.path().join("saved");
    let repaired = repair(&bed.data(), &to, 99).expect("repaired");
    assert_eq!((repaired.records, repaired.gone.len(), repaired.is_state_kept), (EVENTS, 0, true));
    let ports = open(settings(&to)).expect("opened");
    let titles = block_on(async { ports.catalogue.watch().await.expect("watched").recv().await });
    assert_eq!(titles.expect("some")[0].title.id, "t1");
    assert!(repair(&bed.data(), &to, 99).is_err(), "what is there is not written over");
    let held = open(settings(&bed.data())).expect("opened");
    assert!(repair(&bed.data(), &bed.directory.path().join("x"), 99).is_err(), "held by a process");
    drop(held);
}

#[test]
fn a_table_that_a_disk_changed_is_found_though_nobody_reads_it() {
    let bed = Bed { directory: tempfile::tempdir().expect("a directory"), all: Vec::new() };
    let ports = open(settings(&bed.data())).expect("opened");
    // Enough for a table: what is in memory is written out when it has 64 MiB.
    let payload = Bytes::from(vec![b'x'; 60_000]);
    for group in 0..40_u64 {
        let event = |n: u64| {
            let number = group * 40 + n;
            // Not all alike: tables are compressed.
            let mut payload = payload.to_vec();
            let mut seed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for byte in &mut payload {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                *byte = seed as u8;
            }
            NewEvent { member: format!("m{}", n % 13), id: format!("t{number}"), payload: payload.into() }
        };
        let appended = block_on(ports.log.append((0..40).map(event).collect()));
        assert!(appended.iter().all(Result::is_ok));
    }
    drop(ports);
    let tables = |contents: BTreeMap<PathBuf, Contents>| {
        let large = contents.into_iter().filter(|(path, contents)| {
            path.starts_with(bed.data().join("log"))
                && contents.bytes.len() > 1 << 20
                && path.extension().is_none()
        });
        large.collect::<Vec<_>>()
    };
    let found = tables(bed.contents());
    assert!(!found.is_empty(), "some of it is in tables");
    let (path, Contents { bytes: whole, .. }) = &found[0];
    for at in [whole.len() / 4, whole.len() / 2] {
        bed.edit(path, |bytes| bytes[at] ^= 0x10);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        match open(settings(&bed.data())) {
            Err(PortError::Damaged { .. }) => {}
            Err(error) => panic!("{error}"),
            Ok(ports) => loop {
                // Found beside everything else: from then on nothing is taken.
                let event = NewEvent { member: "m1".into(), id: "new".into(), payload: "{}".into() };
                let outcome = block_on(ports.log.append(vec![event])).remove(0);
                if matches!(outcome, Err(PortError::Damaged { .. })) {
                    break;
                }
                assert!(std::time::Instant::now() < deadline, "never found");
                std::thread::sleep(std::time::Duration::from_millis(20));
            },
        }
        std::fs::write(path, whole).expect("restored");
    }
}
