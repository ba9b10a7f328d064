//! Stored form of the snapshot of the aggregates: a head, and its bytes in pieces, so that the database's journal, which
//! keeps a copy of the longest value that it was given, and whoever copies a value need no memory for all of them.
//!
//! - `snapshot`: the head. Version 2 (1 byte), number of partitions (2), their positions (8 each), length of the
//!   aggregates (8), all big-endian. In version 1 the aggregates themselves stood behind the positions.
//! - `snapshot/` and the number of a piece (4 bytes, big-endian): [`PIECE_BYTES`] of the aggregates, the last one what is left.
//!
//! Beside it, under `tuning`, lies what was chosen for the ranking.

use super::failure::damaged;
use super::state_files::StateFiles;
use bytes::Bytes;
use fjall::OwnedWriteBatch;
use nearline_model::Position;
use nearline_ports::{AggregatesSnapshot, PortError};

const HEAD_KEY: &str = "snapshot";
const HEAD_VERSION: u8 = 2;
/// The version that had the aggregates in the head.
const WHOLE_VERSION: u8 = 1;
/// Bytes of a piece.
const PIECE_BYTES: usize = 1 << 20;

/// What is known of a stored snapshot without its pieces.
pub(super) struct StoredHead {
    /// Position of each partition that it reflects.
    pub(super) positions: Vec<Position>,
    aggregates: StoredAggregates,
}

enum StoredAggregates {
    /// As version 1 had them.
    Whole(Bytes),
    /// In pieces, so long together.
    Pieces(usize),
}

impl StoredHead {
    /// The head of the snapshot that is stored.
    pub(super) fn read(files: &StateFiles) -> Result<Option<Self>, PortError> {
        let stored = files.aggregates.get(HEAD_KEY).map_err(|error| files.failure(error))?;
        let decode = |bytes: Bytes| Self::decode(&bytes).ok_or_else(|| damaged_snapshot(files));
        stored.map(|value| decode(value.into())).transpose()
    }

    fn decode(bytes: &Bytes) -> Option<Self> {
        let (&[version, high, low], rest) = bytes.split_first_chunk::<3>()?;
        let count = usize::from(u16::from_be_bytes([high, low]));
        let (positions, rest) = rest.split_at_checked(count * 8)?;
        let positions = positions.as_chunks::<8>().0.iter().map(|bytes| Position(u64::from_be_bytes(*bytes)));
        let aggregates = match version {
            WHOLE_VERSION => StoredAggregates::Whole(bytes.slice_ref(rest)),
            HEAD_VERSION => {
                let length = u64::from_be_bytes(rest.try_into().ok()?);
                StoredAggregates::Pieces(usize::try_from(length).ok()?)
            }
            _ => return None,
        };
        Some(Self { positions: positions.collect(), aggregates })
    }

    /// The snapshot, its pieces put together.
    pub(super) fn snapshot(self, files: &StateFiles) -> Result<AggregatesSnapshot, PortError> {
        let bytes = match self.aggregates {
            StoredAggregates::Whole(bytes) => bytes,
            StoredAggregates::Pieces(length) => {
                let piece = |piece| {
                    let stored =
                        files.aggregates.get(piece_key(piece)).map_err(|error| files.failure(error))?;
                    stored.ok_or_else(|| damaged_snapshot(files))
                };
                // By what is there: whoever damaged the length does not get to ask for any amount of memory.
                let pieces = (0..pieces_of(length)).map(piece).collect::<Result<Vec<_>, PortError>>()?;
                let bytes = pieces.concat();
                if bytes.len() != length {
                    return Err(damaged_snapshot(files));
                }
                bytes.into()
            }
        };
        Ok(AggregatesSnapshot { positions: self.positions, bytes })
    }
}

/// Puts `snapshot` in the place of what is stored.
pub(super) fn replace(
    files: &StateFiles,
    batch: &mut OwnedWriteBatch,
    snapshot: &AggregatesSnapshot,
) -> Result<(), PortError> {
    let mut head = Vec::with_capacity(3 + snapshot.positions.len() * 8 + 8);
    head.push(HEAD_VERSION);
    head.extend_from_slice(&(snapshot.positions.len() as u16).to_be_bytes());
    snapshot.positions.iter().for_each(|position| head.extend_from_slice(&position.0.to_be_bytes()));
    head.extend_from_slice(&(snapshot.bytes.len() as u64).to_be_bytes());
    batch.insert(&files.aggregates, HEAD_KEY, head);
    for (piece, bytes) in snapshot.bytes.chunks(PIECE_BYTES).enumerate() {
        batch.insert(&files.aggregates, piece_key(piece), snapshot.bytes.slice_ref(bytes));
    }
    remove_pieces(files, batch, pieces_of(snapshot.bytes.len()))
}

/// Removes the snapshot that is stored.
pub(super) fn remove(files: &StateFiles, batch: &mut OwnedWriteBatch) -> Result<(), PortError> {
    batch.remove(&files.aggregates, HEAD_KEY);
    remove_pieces(files, batch, 0)
}

/// Removes the pieces that are there, whatever the head says, from one on.
fn remove_pieces(files: &StateFiles, batch: &mut OwnedWriteBatch, from: usize) -> Result<(), PortError> {
    for guard in files.aggregates.range(piece_key(from)..=piece_key(u32::MAX as usize)) {
        batch.remove(&files.aggregates, guard.key().map_err(|error| files.failure(error))?);
    }
    Ok(())
}

fn pieces_of(length: usize) -> usize {
    length.div_ceil(PIECE_BYTES)
}

fn piece_key(piece: usize) -> Vec<u8> {
    [HEAD_KEY.as_bytes(), b"/", &(piece as u32).to_be_bytes()].concat()
}

fn damaged_snapshot(files: &StateFiles) -> PortError {
    damaged(&files.what, "the snapshot of the aggregates is cut off or of another version")
}

#[cfg(test)]
mod tests {
    use super::super::SyncPolicy;
    use super::super::directory::Directory;
    use super::*;
    use fjall::PersistMode;
    use std::sync::Arc;

    fn snapshot(position: u64, length: usize) -> AggregatesSnapshot {
        let bytes: Vec<u8> = (0..length).map(|at| (at / 1_000) as u8 ^ position as u8).collect();
        AggregatesSnapshot { positions: vec![Position(position), Position(7)], bytes: bytes.into() }
    }

    fn with_files(test: impl FnOnce(&StateFiles)) {
        let folder = tempfile::tempdir().expect("a directory");
        let directory = Arc::new(Directory::open(folder.path(), 2).expect("opened"));
        test(&StateFiles::open(&directory, 2, SyncPolicy::Os).expect("opened"));
    }

    fn store(files: &StateFiles, snapshot: &AggregatesSnapshot) {
        let mut batch = files.batch(1, PersistMode::Buffer);
        replace(files, &mut batch, snapshot).expect("read");
        batch.commit().expect("stored");
    }

    fn stored(files: &StateFiles) -> Result<Option<AggregatesSnapshot>, PortError> {
        StoredHead::read(files)?.map(|head| head.snapshot(files)).transpose()
    }

    fn keys(files: &StateFiles) -> usize {
        files.aggregates.iter().count()
    }

    #[test]
    fn a_snapshot_is_as_it_was_stored_and_leaves_no_piece_of_the_one_before() {
        with_files(|files| {
            assert_eq!(stored(files).expect("read"), None);
            for (position, (length, pieces)) in
                (1..).zip([(0, 0), (5, 1), (3 * PIECE_BYTES + 1, 4), (2 * PIECE_BYTES, 2), (1, 1)])
            {
                store(files, &snapshot(position, length));
                assert_eq!(stored(files).expect("read"), Some(snapshot(position, length)), "{length}");
                assert_eq!(keys(files), 1 + pieces, "{length}");
            }
            let mut batch = files.batch(1, PersistMode::Buffer);
            remove(files, &mut batch).expect("read");
            batch.commit().expect("removed");
            assert_eq!((stored(files).expect("read"), keys(files)), (None, 0));
        });
    }

    #[test]
    fn a_snapshot_of_version_1_is_read_and_replaced() {
        with_files(|files| {
            let before = snapshot(3, 2_500_000);
            let positions: Vec<u8> =
                before.positions.iter().flat_map(|position| position.0.to_be_bytes()).collect();
            let head = [&[WHOLE_VERSION, 0, 2][..], &positions, &before.bytes].concat();
            files.aggregates.insert(HEAD_KEY, head).expect("stored");
            assert_eq!(stored(files).expect("read"), Some(before));
            store(files, &snapshot(4, 10));
            assert_eq!(stored(files).expect("read"), Some(snapshot(4, 10)));
        });
    }

    #[test]
    fn a_snapshot_that_lacks_anything_is_damaged() {
        with_files(|files| {
            let whole = snapshot(3, PIECE_BYTES + 10);
            let head =
                |files: &StateFiles| files.aggregates.get(HEAD_KEY).expect("read").expect("there").to_vec();
            let damages: [&dyn Fn(&StateFiles); 5] = [
                &|files| files.aggregates.remove(piece_key(1)).expect("removed"),
                &|files| files.aggregates.insert(piece_key(1), "short").expect("stored"),
                &|files| files.aggregates.insert(HEAD_KEY, &head(files)[..10]).expect("stored"),
                &|files| {
                    files.aggregates.insert(HEAD_KEY, [&[9], &head(files)[1..]].concat()).expect("stored")
                },
                // A length of 2⁶⁴ − 1 bytes is not asked for.
                &|files| {
                    files
                        .aggregates
                        .insert(HEAD_KEY, [&head(files)[..19], &[0xff; 8]].concat())
                        .expect("stored")
                },
            ];
            for (number, damage) in damages.iter().enumerate() {
                store(files, &whole);
                assert!(stored(files).is_ok_and(|stored| stored.as_ref() == Some(&whole)));
                damage(files);
                assert!(matches!(stored(files), Err(PortError::Damaged { .. })), "{number}");
            }
        });
    }
}
