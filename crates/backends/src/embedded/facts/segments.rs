//! Numbered entries in files of a bounded size, each named after its first entry.
//!
//! An entry is its length (4 bytes), its XXH3-64 (8), and the bytes. What does not fit its checksum ends a file: at the
//! end of the last one it is cut off when the files are opened, elsewhere the rest of its file is passed over.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

const HEAD_BYTES: u64 = 12;
/// Bytes from which on a file takes no more entries, where as many files fit.
const SEGMENT_BYTES: u64 = 16 << 20;
/// Files at least that the bound is cut into: that much of it is always kept.
const LEAST_SEGMENTS: u64 = 4;
/// Bytes of the buffer that entries are put together in, unless they are larger.
const KEPT_BYTES: usize = 8 << 20;
/// Larger lengths are damage.
const MOST_ENTRY_BYTES: usize = 1 << 30;
const IDENTITY: &str = "identity";

/// Where a reader was when it stopped.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    /// The next entry's number, its file, and where it begins there.
    next: u64,
    first: u64,
    offset: u64,
}

/// The files.
#[derive(Debug)]
pub(super) struct Segments {
    path: PathBuf,
    identity: String,
    most_bytes: u64,
    /// Bytes of each file, by its first entry's number.
    files: BTreeMap<u64, u64>,
    /// The last of them, to append to.
    last: Option<File>,
    /// Number of the next entry.
    next: u64,
    cursor: Option<Cursor>,
    /// What was written last, to be written over: new memory costs more than what is put there.
    framed: Vec<u8>,
}

impl Segments {
    /// Opens the files, or begins a stream where there are none; nothing is written yet.
    pub fn open(path: &Path, most_bytes: u64) -> Result<Self> {
        let mut segments = Self {
            path: path.to_owned(),
            identity: String::new(),
            most_bytes,
            files: BTreeMap::new(),
            last: None,
            next: 1,
            cursor: None,
            framed: Vec::new(),
        };
        match std::fs::read_to_string(path.join(IDENTITY)) {
            Ok(identity) => segments.identity = identity.trim().to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(segments),
            Err(error) => return Err(error),
        }
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".facts")?.parse().ok());
            if let Some(first) = number {
                segments.files.insert(first, entry.metadata()?.len());
            }
        }
        if let Some((&first, &bytes)) = segments.files.last_key_value() {
            segments.reopen(first, bytes)?;
        }
        Ok(segments)
    }

    /// Counts the entries of the last file, and cuts off what is none.
    fn reopen(&mut self, first: u64, bytes: u64) -> Result<()> {
        let mut reader = BufReader::new(File::open(self.file(first))?);
        let (mut end, mut next) = (0, first);
        while let Some(entry) = read_entry(&mut reader)? {
            end += HEAD_BYTES + entry.len() as u64;
            next += 1;
        }
        let mut file = OpenOptions::new().write(true).open(self.file(first))?;
        if end < bytes {
            tracing::warn!(file = %self.file(first).display(), end, bytes, "the last facts are cut off: they were not whole");
            file.set_len(end)?;
        }
        file.seek(SeekFrom::End(0))?;
        self.files.insert(first, end);
        (self.last, self.next) = (Some(file), next);
        Ok(())
    }

    /// Which stream it is; empty: nothing was put.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Appends entries, each of which is encoded behind what is written with it; all or none of them are there afterwards.
    pub fn append<E>(&mut self, entries: &[E], encode: impl Fn(&E, Vec<u8>) -> Vec<u8>) -> Result<()> {
        if self.identity.is_empty() {
            self.begin()?;
        }
        let mut framed = std::mem::take(&mut self.framed);
        framed.clear();
        for entry in entries {
            let head = framed.len();
            framed.extend_from_slice(&[0; HEAD_BYTES as usize]);
            framed = encode(entry, framed);
            let (head, bytes) = framed[head..].split_at_mut(HEAD_BYTES as usize);
            head[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
            head[4..].copy_from_slice(&xxh3_64(bytes).to_le_bytes());
        }
        let written = self.write(&framed, entries.len() as u64);
        framed.shrink_to(KEPT_BYTES);
        self.framed = framed;
        written
    }

    fn write(&mut self, framed: &[u8], entries: u64) -> Result<()> {
        let full = SEGMENT_BYTES.min(self.most_bytes / LEAST_SEGMENTS);
        let is_full = self.files.last_key_value().is_none_or(|(_, bytes)| *bytes >= full);
        if self.last.is_none() || is_full {
            self.last = Some(File::create(self.file(self.next))?);
            self.files.insert(self.next, 0);
        }
        let Some((&first, &bytes)) = self.files.last_key_value() else { return Ok(()) };
        let Some(file) = &mut self.last else { return Ok(()) };
        if let Err(error) = file.write_all(framed) {
            // What was written of it is no entry: the next one must not follow it.
            let cut = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes)));
            if cut.is_err() {
                self.last = None;
            }
            return Err(error);
        }
        self.files.insert(first, bytes + framed.len() as u64);
        self.next += entries;
        self.drop_oldest()
    }

    fn begin(&mut self) -> Result<()> {
        std::fs::create_dir_all(&self.path)?;
        let identity = crate::log_identity::new_log_identity();
        let unfinished = self.path.join("identity.new");
        std::fs::write(&unfinished, &identity)?;
        std::fs::rename(&unfinished, self.path.join(IDENTITY))?;
        self.identity = identity;
        Ok(())
    }

    fn drop_oldest(&mut self) -> Result<()> {
        while self.files.len() > 1 && self.files.values().sum::<u64>() > self.most_bytes {
            let Some((first, _)) = self.files.pop_first() else { break };
            std::fs::remove_file(self.file(first))?;
        }
        Ok(())
    }

    /// Up to `most` entries behind `after`, with their numbers.
    /// Number of the last entry; 0: there is none.
    pub fn last(&self) -> u64 {
        self.next - 1
    }

    pub fn read(&mut self, after: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let mut found = Vec::new();
        let mut wanted = after.saturating_add(1);
        while found.len() < most && wanted < self.next {
            // What was before the first file is gone.
            let first = self.files.range(..=wanted).next_back().or_else(|| self.files.first_key_value());
            let Some(first) = first.map(|(first, _)| *first) else { break };
            let resumed = self.cursor.filter(|cursor| cursor.next == wanted && cursor.first == first);
            let start = resumed.unwrap_or(Cursor { next: first, first, offset: 0 });
            let cursor = self.read_file(start, wanted, most, &mut found)?;
            wanted = wanted.max(cursor.next);
            let following = self.files.range(first + 1..).next().map(|(first, _)| *first);
            match following {
                Some(following) if found.len() < most => {
                    if cursor.next < following {
                        let file = self.file(first);
                        tracing::warn!(file = %file.display(), "facts cannot be read; the rest of the file is passed over");
                    }
                    wanted = wanted.max(following);
                }
                Some(_) => {}
                None => {
                    self.cursor = Some(cursor);
                    break;
                }
            }
            self.cursor = Some(cursor);
        }
        Ok(found)
    }

    fn read_file(
        &self,
        mut cursor: Cursor,
        wanted: u64,
        most: usize,
        found: &mut Vec<(u64, Vec<u8>)>,
    ) -> Result<Cursor> {
        let mut reader = BufReader::new(File::open(self.file(cursor.first))?);
        reader.seek(SeekFrom::Start(cursor.offset))?;
        while found.len() < most {
            let Some(entry) = read_entry(&mut reader)? else { break };
            cursor.offset += HEAD_BYTES + entry.len() as u64;
            if cursor.next >= wanted {
                found.push((cursor.next, entry));
            }
            cursor.next += 1;
        }
        Ok(cursor)
    }

    fn file(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:020}.facts"))
    }
}

/// The next entry; `None`: there is none that is whole.
fn read_entry(reader: &mut impl Read) -> Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD_BYTES as usize];
    let whole = |outcome: Result<()>| match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    };
    if !whole(reader.read_exact(&mut head))? {
        return Ok(None);
    }
    let [length @ .., _, _, _, _, _, _, _, _] = head;
    let [_, _, _, _, digest @ ..] = head;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST_ENTRY_BYTES {
        return Ok(None);
    }
    let mut entry = vec![0; length];
    let is_whole = whole(reader.read_exact(&mut entry))?;
    Ok((is_whole && xxh3_64(&entry) == u64::from_le_bytes(digest)).then_some(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64) -> Vec<u8> {
        vec![number as u8; 100 + number as usize]
    }

    fn append(segments: &mut Segments, numbers: &[u64]) {
        segments.append(numbers, |number, bytes| [bytes, entry(*number)].concat()).unwrap();
    }

    /// Segments of entries 1 to `last`, appended one by one.
    fn filled(directory: &Path, most_bytes: u64, last: u64) -> Segments {
        let mut segments = Segments::open(directory, most_bytes).unwrap();
        for number in 1..=last {
            append(&mut segments, &[number]);
        }
        segments
    }

    fn numbers(segments: &mut Segments) -> Vec<u64> {
        let mut found: Vec<u64> = Vec::new();
        loop {
            let more = segments.read(found.last().copied().unwrap_or(0), 3).unwrap();
            if more.is_empty() {
                return found;
            }
            for (number, bytes) in more {
                assert_eq!(bytes, entry(number));
                found.push(number);
            }
        }
    }

    #[test]
    fn the_oldest_go_and_numbers_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut segments = filled(directory.path(), 4_000, 100);
        let kept = numbers(&mut segments);
        assert!(kept.len() > 10 && kept.len() < 40, "{kept:?}");
        assert_eq!(*kept.last().unwrap(), 100);
        assert!(kept.is_sorted());
        let mut reopened = Segments::open(directory.path(), 4_000).unwrap();
        assert_eq!(numbers(&mut reopened), kept);
        append(&mut reopened, &[101, 102]);
        assert_eq!(numbers(&mut reopened).last(), Some(&102));
    }

    #[test]
    fn a_torn_end_is_cut_off_and_damage_elsewhere_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let mut segments = filled(directory.path(), 40_000, 150);
        let files: Vec<(u64, u64)> = segments.files.iter().map(|(first, bytes)| (*first, *bytes)).collect();
        let ((damaged, _), (last, bytes)) = (files[0], *files.last().unwrap());
        let path = segments.file(last);
        OpenOptions::new().write(true).open(path).unwrap().set_len(bytes - 1).unwrap();
        let path = segments.file(damaged);
        let mut content = std::fs::read(&path).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        std::fs::write(&path, content).unwrap();
        let before = numbers(&mut segments).len();
        let mut reopened = Segments::open(directory.path(), 40_000).unwrap();
        let found = numbers(&mut reopened);
        assert_eq!(*found.last().unwrap(), 149);
        assert!(found.len() + 1 >= before, "{found:?}");
        append(&mut reopened, &[150]);
        assert_eq!(numbers(&mut reopened).last(), Some(&150));
    }
}
