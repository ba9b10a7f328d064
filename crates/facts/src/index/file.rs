//! The file of an index: a table of where each part of the hashes begins, then entries in the order of their hashes.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{FactsError, Result};
use crate::whole_file::WholeFile;

/// Its first bytes: the format and its version.
const MAGIC: &[u8; 8] = b"NLMEMIX1";
/// Bits of a hash that say which part it is in.
const PART_BITS: u32 = 12;
const PARTS: usize = 1 << PART_BITS;
/// Magic, the snapshot's digest in hexadecimal, the number of entries.
const HEAD: usize = 8 + 32 + 8;
const ENTRY: usize = 8 + 8 + 4;

/// Rows of one member that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub hash: u64,
    pub row: u64,
    pub rows: u32,
}

/// An index that belongs to the files as they are.
#[derive(Debug)]
pub(crate) struct IndexFile {
    path: PathBuf,
    file: File,
    /// The first entry of each part, and behind them the number of entries.
    parts: Vec<u64>,
}

fn part(hash: u64) -> usize {
    (hash >> (64 - PART_BITS)) as usize
}

/// Writes beside the place and renames; gives the bytes.
pub(super) fn write(path: &Path, digest: &str, entries: &[Entry]) -> Result<u64> {
    let mut bytes = Vec::with_capacity(HEAD + 8 * (PARTS + 1) + ENTRY * entries.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(digest.as_bytes());
    bytes.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    for part_number in 0..=PARTS {
        let first = entries.partition_point(|entry| part(entry.hash) < part_number);
        bytes.extend_from_slice(&(first as u64).to_le_bytes());
    }
    for entry in entries {
        bytes.extend_from_slice(&entry.hash.to_le_bytes());
        bytes.extend_from_slice(&entry.row.to_le_bytes());
        bytes.extend_from_slice(&entry.rows.to_le_bytes());
    }
    let mut file = WholeFile::create(path)?;
    file.write_all(&bytes).map_err(FactsError::writing(path))?;
    file.name()
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().expect("eight bytes were cut"))
}

impl IndexFile {
    /// Opens the index at a place; none if there is none, or if it was made of other files.
    ///
    /// # Errors
    /// A file that is no index.
    pub fn open(path: &Path, digest: &str) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FactsError::reading(path)(error)),
        };
        let mut head = vec![0; HEAD + 8 * (PARTS + 1)];
        let read = file.read_exact_at(&mut head, 0);
        if read.is_err() || &head[..8] != MAGIC {
            return Err(FactsError::Refused(format!(
                "{} is no index of members; delete it, or make it anew",
                path.display()
            )));
        }
        if &head[8..40] != digest.as_bytes() {
            return Ok(None);
        }
        let parts = head[HEAD..].chunks_exact(8).map(number).collect();
        Ok(Some(Self { path: path.to_owned(), file, parts }))
    }

    /// How many runs there are.
    pub fn runs(&self) -> u64 {
        self.parts[PARTS]
    }

    /// The runs of some hashes, which need not be sorted.
    pub(super) fn find(&self, hashes: &[u64]) -> Result<Vec<Entry>> {
        let mut wanted = hashes.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Vec::with_capacity(wanted.len());
        for same in wanted.chunk_by(|one, other| part(*one) == part(*other)) {
            let (first, after) = (self.parts[part(same[0])], self.parts[part(same[0]) + 1]);
            let mut bytes = vec![0; (after - first) as usize * ENTRY];
            let start = (HEAD + 8 * (PARTS + 1)) as u64 + first * ENTRY as u64;
            self.file.read_exact_at(&mut bytes, start).map_err(FactsError::reading(&self.path))?;
            let mut entries = bytes.chunks_exact(ENTRY).peekable();
            for &hash in same {
                while entries.next_if(|entry| number(&entry[..8]) < hash).is_some() {}
                while let Some(entry) = entries.next_if(|entry| number(&entry[..8]) == hash) {
                    let rows = u32::from_le_bytes(entry[16..].try_into().expect("four bytes were cut"));
                    found.push(Entry { hash, row: number(&entry[8..16]), rows });
                }
            }
        }
        Ok(found)
    }
}
