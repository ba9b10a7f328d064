//! The database's journals, read without opening it: opening takes whatever cannot be read for a torn end, and
//! cuts it off.
//!
//! The format is that of fjall 3 (`journal/entry.rs` there): a batch is a start (tag 1, number of items 4,
//! sequence number 8), items (tag 2, type 1, compression 1, keyspace 8, length of the key 2, of the value 4 and
//! of its stored form 4, key, value; or tag 4, keyspace 8) and an end (tag 3, XXH3-64 of the items 8, `FJL\x03`).
//! Numbers are little-endian. A file is made with 64 MiB of zeros.
//!
//! What is deliberately absent: writing.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: &[u8] = b"FJL\x03";
const START_BYTES: usize = 13;
const ITEM_BYTES: usize = 21;

/// What a batch does to a key. Keys and values are slices of the file.
pub(super) struct Item<'a> {
    pub(super) key: &'a [u8],
    /// `None` if the key is removed. As it is stored: compressed, maybe.
    pub(super) value: Option<&'a [u8]>,
}

/// A batch that is whole.
pub(super) struct Batch<'a> {
    pub(super) number: u64,
    pub(super) items: Vec<Item<'a>>,
    /// Where the next one begins.
    end: usize,
}

/// A stretch of a file that no batch explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) from: usize,
    /// Where the next whole batch begins; `None` if there is none any more.
    pub(super) to: Option<usize>,
}

/// What a journal holds.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) batches: u64,
    /// Of the first and of the last batch.
    pub(super) numbers: Option<(u64, u64)>,
    pub(super) unreadable: Vec<Unreadable>,
}

/// The journals in the directory of a database, oldest first.
pub(super) fn journals(database: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(database)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok());
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable();
    Ok(found)
}

/// A journal up to the last byte that was written: the zeros behind, mostly all of its 64 MiB, are a hole that need not be read.
pub(super) fn read_written(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let end = end_of_data(&file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::with_capacity(usize::try_from(end).unwrap_or_default());
    file.take(end).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the hole at the end of a file begins; its length where there is none, or where holes are not told.
#[cfg(target_os = "linux")]
fn end_of_data(file: &File) -> std::io::Result<u64> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;
    let length = file.metadata()?.len();
    let mut end = 0;
    while end < length {
        end = match seek(file, SeekFrom::Data(end)) {
            Ok(data) => seek(file, SeekFrom::Hole(data))?,
            // No data from there on.
            Err(Errno::NXIO) => return Ok(end),
            Err(_) => return Ok(length),
        };
    }
    Ok(length)
}

#[cfg(not(target_os = "linux"))]
fn end_of_data(file: &File) -> std::io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// Goes through the bytes of a journal; every batch that is whole goes to `take`, those behind damage, too.
pub(super) fn scan(bytes: &[u8], mut take: impl FnMut(Batch<'_>)) -> Scanned {
    let mut scanned = Scanned::default();
    let (mut at, mut before) = (0, 0);
    while at < bytes.len() {
        if let Some(batch) = batch(bytes, at) {
            if scanned.numbers.is_some_and(|(_, last)| batch.number < last) {
                // Numbers are not under the checksum: that of the one before is not what was written.
                scanned.unreadable.push(Unreadable { from: before, to: Some(at) });
            }
            before = at;
            scanned.batches += 1;
            let first = scanned.numbers.map_or(batch.number, |(first, _)| first);
            scanned.numbers = Some((first, batch.number));
            at = batch.end;
            take(batch);
            continue;
        }
        let next = at + zeros(&bytes[at..]);
        if next == bytes.len() {
            // What was never written.
            break;
        }
        let mut candidates = (next..bytes.len()).filter(|at| bytes[*at] == START);
        let to = candidates.find(|candidate| batch(bytes, *candidate).is_some());
        scanned.unreadable.push(Unreadable { from: at, to });
        at = to.unwrap_or(bytes.len());
    }
    scanned
}

/// How many zeros `bytes` begin with: mostly all the rest of a file, so many at a time.
fn zeros(bytes: &[u8]) -> usize {
    const MANY: [u8; 4_096] = [0; 4_096];
    let mut count = 0;
    while bytes[count..].starts_with(&MANY) {
        count += MANY.len();
    }
    count + bytes[count..].iter().take_while(|byte| **byte == 0).count()
}

/// The batch at `at`, if it is whole.
fn batch(bytes: &[u8], at: usize) -> Option<Batch<'_>> {
    let head = bytes.get(at..at + START_BYTES)?;
    if head[0] != START {
        return None;
    }
    let count = u32::from_le_bytes(head[1..5].try_into().ok()?);
    let number = u64::from_le_bytes(head[5..13].try_into().ok()?);
    let first = at + START_BYTES;
    let (mut end, mut items) = (first, Vec::new());
    for _ in 0..count {
        match *bytes.get(end)? {
            ITEM => {
                let head = bytes.get(end..end + ITEM_BYTES)?;
                let key_bytes = usize::from(u16::from_le_bytes(head[11..13].try_into().ok()?));
                let value_bytes = u32::from_le_bytes(head[17..21].try_into().ok()?) as usize;
                let key = bytes.get(end + ITEM_BYTES..)?.get(..key_bytes)?;
                let value = bytes.get(end + ITEM_BYTES + key_bytes..)?.get(..value_bytes)?;
                // Types other than 0 are tombstones.
                items.push(Item { key, value: (head[1] == 0).then_some(value) });
                end += ITEM_BYTES + key_bytes + value_bytes;
            }
            CLEAR => end += 9,
            _ => return None,
        }
    }
    let tail = bytes.get(end..end + 13)?;
    let checksum = u64::from_le_bytes(tail[1..9].try_into().ok()?);
    let is_whole = tail[0] == END
        && &tail[9..] == TRAILER
        && xxhash_rust::xxh3::xxh3_64(bytes.get(first..end)?) == checksum;
    is_whole.then_some(Batch { number, items, end: end + 13 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    /// The journal of a database that was written as ours are, and where each batch of it begins.
    fn journal(batches: u64) -> (Vec<u8>, Vec<usize>) {
        let directory = tempfile::tempdir().expect("a directory");
        let database = Database::builder(directory.path()).open().expect("opened");
        let records = database.keyspace("records", KeyspaceCreateOptions::default).expect("made");
        for number in 0..batches {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            batch.insert(&records, number.to_be_bytes(), vec![number as u8; 300]);
            batch.remove(&records, b"gone");
            batch.commit().expect("committed");
        }
        let (_, path) = journals(directory.path()).expect("read").pop().expect("one");
        let bytes = std::fs::read(path).expect("read");
        let (mut starts, mut at) = (Vec::new(), 0);
        scan(&bytes, |batch| {
            starts.push(at);
            at = batch.end;
        });
        starts.push(at);
        (bytes, starts)
    }

    #[test]
    fn what_the_database_writes_is_read_and_the_zeros_behind_it_are_no_damage() {
        let (bytes, starts) = journal(20);
        let mut values = 0;
        let scanned = scan(&bytes, |batch| {
            assert_eq!(batch.items.len(), 2);
            assert!(batch.items[1].value.is_none(), "removed");
            values +=
                batch.items.iter().filter(|item| item.value.is_some_and(|value| value.len() == 300)).count();
        });
        assert_eq!((scanned.batches, values, scanned.unreadable.len()), (20, 20, 0));
        let (first, last) = scanned.numbers.expect("some");
        assert!(last > first);
        assert!(bytes.len() > starts[20], "{} bytes", bytes.len());
    }

    #[test]
    fn damage_is_found_and_what_stands_behind_it_is_read() {
        let (bytes, starts) = journal(20);
        for at in [0, 1, starts[7], starts[7] + 40, starts[8] - 1] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let scanned = scan(&damaged, |_| {});
            let hit = starts.iter().rposition(|start| *start <= at).expect("some");
            assert_eq!(scanned.batches, 19, "byte {at}");
            assert_eq!(scanned.unreadable, [Unreadable { from: starts[hit], to: Some(starts[hit + 1]) }]);
        }
        let mut damaged = bytes.clone();
        damaged[starts[3] + 5..starts[3] + 1_500].fill(0xa5);
        let scanned = scan(&damaged, |_| {});
        assert_eq!((scanned.unreadable.len(), scanned.batches >= 14), (1, true));
        let scanned = scan(&bytes[..starts[19] + 30], |_| {});
        assert_eq!(scanned.unreadable, [Unreadable { from: starts[19], to: None }], "a torn end");
    }
}
