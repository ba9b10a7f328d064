//! How far the log was acknowledged, kept beside its database: what tells a torn end from a lost one.
//!
//! The file `log-end` has two slots that are written in turn, so that one is always whole: mark (4 bytes), number
//! of partitions (4), number of the write (8), boot of the machine (8), the position of each partition's last
//! record (8 each), XXH3-64 of all that (8). It is written after the database has acknowledged, and not synced:
//! after the end of a process it is exact, and after a power cut it may be old, but never ahead of what was synced
//! before.

use super::failure::unavailable;
use nearline_model::Position;
use nearline_ports::PortError;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const FILE: &str = "log-end";
const MARK: &[u8] = b"NLE\x01";
const HEAD_BYTES: usize = 24;
const SEAL_BYTES: usize = 8;

/// What is known of the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownEnd {
    /// Of each partition's last record that was acknowledged; 0 if there was none.
    pub(super) positions: Vec<Position>,
    /// Whether the machine has run on ever since: then nothing written is lost, synced or not.
    pub(super) is_of_this_boot: bool,
}

impl KnownEnd {
    /// Whether anything was acknowledged.
    pub(super) fn is_of_records(&self) -> bool {
        self.positions.iter().any(|position| !position.is_start())
    }
}

/// Writes the end down.
pub(super) struct LogEnd {
    path: PathBuf,
    file: File,
    positions: Vec<Position>,
    number: u64,
    boot: u64,
}

impl LogEnd {
    /// What `directory` says; `None` where it says nothing yet.
    pub(super) fn read(directory: &Path) -> Result<Option<KnownEnd>, PortError> {
        let newest = slots(&directory.join(FILE))?.into_iter().max_by_key(|slot| slot.number);
        Ok(newest
            .map(|slot| KnownEnd { positions: slot.positions, is_of_this_boot: slot.boot == this_boot() }))
    }

    /// Writes down that the partitions of the log in `directory` end at `positions`, and goes on from there.
    pub(super) fn open(directory: &Path, positions: Vec<Position>) -> Result<Self, PortError> {
        let path = directory.join(FILE);
        let number = slots(&path)?.into_iter().map(|slot| slot.number).max().unwrap_or(0);
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| unavailable(&path.display().to_string(), &error))?;
        let mut end = Self { path, file, positions, number, boot: this_boot() };
        end.write();
        Ok(end)
    }

    /// Everything up to `positions` is acknowledged: one for each partition, `None` where nothing is new.
    pub(super) fn reached(&mut self, positions: impl Iterator<Item = Option<Position>>) {
        for (known, position) in self.positions.iter_mut().zip(positions) {
            *known = position.unwrap_or(*known);
        }
        self.write();
    }

    fn write(&mut self) {
        self.number += 1;
        let mut slot = Vec::with_capacity(slot_bytes(self.positions.len()));
        slot.extend_from_slice(MARK);
        slot.extend_from_slice(&(self.positions.len() as u32).to_be_bytes());
        slot.extend_from_slice(&self.number.to_be_bytes());
        slot.extend_from_slice(&self.boot.to_be_bytes());
        self.positions.iter().for_each(|position| slot.extend_from_slice(&position.0.to_be_bytes()));
        let seal = xxh3_64(&slot).to_be_bytes();
        slot.extend_from_slice(&seal);
        let place = SeekFrom::Start(self.number % 2 * slot.len() as u64);
        let written = self.file.seek(place).and_then(|_| self.file.write_all(&slot));
        if let Err(error) = written {
            // An older end is a weaker witness, and no false one.
            tracing::debug!(%error, file = %self.path.display(), "the end of the log was not written down");
        }
    }
}

struct Slot {
    number: u64,
    boot: u64,
    positions: Vec<Position>,
}

fn slot_bytes(partitions: usize) -> usize {
    HEAD_BYTES + 8 * partitions + SEAL_BYTES
}

/// The slots that are whole.
fn slots(path: &Path) -> Result<Vec<Slot>, PortError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unavailable(&path.display().to_string(), &error)),
    }
    // Two of them, of the same size: where one is damaged, the other is found all the same.
    let size = bytes.len() / 2;
    Ok([bytes.get(..size), bytes.get(size..)]
        .into_iter()
        .flatten()
        .chain([&bytes[..]])
        .filter_map(slot)
        .collect())
}

fn slot(bytes: &[u8]) -> Option<Slot> {
    let number = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let partitions = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    let sealed = bytes.len().checked_sub(SEAL_BYTES)?;
    let is_whole = bytes.starts_with(MARK)
        && bytes.len() == slot_bytes(partitions)
        && number(sealed)? == xxh3_64(&bytes[..sealed]);
    let position = |at: usize| number(HEAD_BYTES + 8 * at).map(Position);
    is_whole
        .then(|| {
            let positions = (0..partitions).map(position).collect::<Option<_>>()?;
            Some(Slot { number: number(8)?, boot: number(16)?, positions })
        })
        .flatten()
}

/// Fingerprint of what Linux calls this boot; the same one always where there is no such thing.
fn this_boot() -> u64 {
    std::fs::read("/proc/sys/kernel/random/boot_id").map_or(0, |id| xxh3_64(&id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_slot_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        let read =
            || LogEnd::read(directory.path()).expect("read").map(|end| (end.positions, end.is_of_this_boot));
        assert_eq!(read(), None);
        let mut end = LogEnd::open(directory.path(), vec![Position(7), Position::START]).expect("opened");
        assert_eq!(read(), Some((vec![Position(7), Position::START], true)));
        for (reached, expected) in [([None, Some(2)], [7, 2]), ([Some(9), None], [9, 2])] {
            end.reached(reached.into_iter().map(|position| position.map(Position)));
            assert_eq!(read(), Some((expected.map(Position).to_vec(), true)));
        }
        // The last write was torn: the one before it is there.
        let path = directory.path().join(FILE);
        let whole = std::fs::read(&path).expect("read");
        let mut bytes = whole.clone();
        let last = slots(&path).expect("read").into_iter().map(|slot| slot.number).max().expect("some");
        bytes[(last % 2) as usize * slot_bytes(2) + 30] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(read(), Some(([7, 2].map(Position).to_vec(), true)));
        LogEnd::open(directory.path(), [11, 2].map(Position).to_vec()).expect("opened");
        assert_eq!(read(), Some(([11, 2].map(Position).to_vec(), true)));
    }
}
