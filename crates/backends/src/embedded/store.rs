//! The state store: a commit is one batch of the database, guarded by the partition's row.

use super::aggregates_snapshot::{self, StoredHead};
use super::failure::{blocking, damaged};
use super::quarantine::entry_key;
use super::state_files::StateFiles;
use async_trait::async_trait;
use bytes::Bytes;
use fjall::PersistMode;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::symbols::Symbol;
use nearline_model::{Commit, PartitionId, Position};
use nearline_ports::{Acquired, AggregatesSnapshot, OutboxEntry, PortError, StateStore};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Members up to which a call is made on the caller's thread.
const INLINE_MEMBERS: usize = 32;
/// What was chosen for the ranking, beside the snapshot of the aggregates.
const TUNING_KEY: &str = "tuning";
/// Keys that are forgotten in one batch.
const FORGOTTEN_AT_ONCE: usize = 10_000;
/// Members that one call of a scan gives, or a few more.
const SCAN_MEMBERS: usize = 1_024;

/// The next cursor, and members with their stored form.
type Scanned = (u64, Vec<(Box<str>, Bytes)>);

/// The state store in a directory.
#[derive(Clone)]
pub struct EmbeddedStore {
    files: Arc<StateFiles>,
    /// Held while the snapshot of the aggregates is replaced.
    snapshot: Arc<Mutex<()>>,
}

impl EmbeddedStore {
    pub(super) fn new(files: Arc<StateFiles>) -> Self {
        Self { files, snapshot: Arc::default() }
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let store = self.clone();
        blocking(&self.files.what, move || work(&store)).await
    }

    fn acquire_now(&self, partition: PartitionId, log: &str, settings: &str) -> Result<Acquired, PortError> {
        let files = &self.files;
        let mut row = files.row(partition)?.lock();
        let acquired = row.acquired(&files.what, partition, log, settings)?;
        let mut batch = files.batch(1, files.persist);
        batch.insert(&files.partitions, partition.0.to_be_bytes(), acquired.encode());
        batch.commit().map_err(|error| files.failure(error))?;
        *row = acquired;
        if let Some(current) = files.epochs.get(usize::from(partition.0)) {
            current.store(row.epoch.0, Ordering::Release);
        }
        Ok(Acquired {
            epoch: row.epoch,
            position: row.position,
            mark: row.mark,
            symbols: self.all_symbols(partition)?,
            fold_state: self.fold_state_now(partition)?,
            settings: row.settings.clone(),
        })
    }

    fn keep_beginning_now(&self, partition: PartitionId, found: Position) -> Result<Position, PortError> {
        let files = &self.files;
        let mut row = files.row(partition)?.lock();
        if let Some(begins) = row.begins {
            return Ok(begins);
        }
        let mut kept = row.clone();
        kept.begins = Some(found);
        let mut batch = files.batch(1, files.persist);
        batch.insert(&files.partitions, partition.0.to_be_bytes(), kept.encode());
        batch.commit().map_err(|error| files.failure(error))?;
        *row = kept;
        Ok(found)
    }

    fn fold_state_now(&self, partition: PartitionId) -> Result<Option<Bytes>, PortError> {
        let stored = self.files.fold_states.get(partition.0.to_be_bytes());
        Ok(stored.map_err(|error| self.files.failure(error))?.map(Bytes::from))
    }

    fn name(&self, partition: PartitionId, symbol: Symbol) -> Result<Option<Arc<str>>, PortError> {
        let files = &self.files;
        let stored =
            files.symbols.get(symbol_key(partition, symbol.0)).map_err(|error| files.failure(error))?;
        let text = |bytes: &[u8]| {
            std::str::from_utf8(bytes)
                .map(Arc::from)
                .map_err(|error| damaged(&files.what, format!("symbol {} of {partition}: {error}", symbol.0)))
        };
        stored.map(|bytes| text(&bytes)).transpose()
    }

    fn all_symbols(&self, partition: PartitionId) -> Result<Vec<Arc<str>>, PortError> {
        let files = &self.files;
        let mut symbols = Vec::new();
        for guard in files.symbols.prefix(partition.0.to_be_bytes()) {
            let (key, value) = guard.into_inner().map_err(|error| files.failure(error))?;
            let number = symbols.len() as u32 + 1;
            if *key != symbol_key(partition, number) {
                return Err(damaged(&files.what, format!("symbol {number} of {partition} is missing")));
            }
            let text = std::str::from_utf8(&value)
                .map_err(|error| damaged(&files.what, format!("symbol {number} of {partition}: {error}")))?;
            symbols.push(Arc::from(text));
        }
        Ok(symbols)
    }

    fn load_now(
        &self,
        partition: PartitionId,
        members: &[Box<str>],
    ) -> Result<Vec<Option<Bytes>>, PortError> {
        let load = |member: &str| self.files.members.get(member_key(partition, member));
        let forms = members.iter().map(|member| load(member).map(|form| form.map(Bytes::from)));
        forms.collect::<Result<_, _>>().map_err(|error| self.files.failure(error))
    }

    fn load_owned_now(
        &self,
        partition: PartitionId,
        held: OwnerEpoch,
        members: &[Box<str>],
    ) -> Result<(Position, Vec<Option<Bytes>>), PortError> {
        let forms = self.load_now(partition, members)?;
        // After the members: they are not of a later owner if none is there yet.
        let current = self.files.epochs.get(usize::from(partition.0));
        let current = current.map_or(OwnerEpoch::NONE, |epoch| OwnerEpoch(epoch.load(Ordering::Acquire)));
        if current != held {
            return Err(PortError::Fenced { partition, held, current });
        }
        Ok((self.files.committed.of(partition), forms))
    }

    fn commit_now(&self, commit: &Commit) -> Result<(), PortError> {
        let files = &self.files;
        let partition = commit.partition;
        let mut row = files.row(partition)?.lock();
        let Some(committed) = row.committed(commit)? else { return Ok(()) };
        let items = commit.members.len() + commit.symbols.len() + commit.stepped_over.len() + 3;
        let mut batch = files.batch(items, PersistMode::Buffer);
        for (member, form) in &commit.members {
            batch.insert(&files.members, member_key(partition, member), form.clone());
        }
        for (number, symbol) in (commit.first_symbol..).zip(&commit.symbols) {
            batch.insert(&files.symbols, symbol_key(partition, number), symbol.as_bytes());
        }
        for entry in &commit.stepped_over {
            batch.insert(&files.quarantine, entry_key(partition, entry.position), entry.encode());
        }
        batch.insert(&files.fold_states, partition.0.to_be_bytes(), commit.fold_state.as_slice());
        batch.insert(&files.outbox, outbox_key(partition, commit.position), commit.delta_bytes.clone());
        batch.insert(&files.partitions, partition.0.to_be_bytes(), committed.encode());
        batch.commit().map_err(|error| files.failure(error))?;
        files.committed.set(partition, committed.position);
        *row = committed;
        Ok(())
    }

    fn scan_now(&self, partition: PartitionId, cursor: u64) -> Result<Scanned, PortError> {
        let files = &self.files;
        // The cursor is the hash to go on from: members of one hash are never parted.
        let from = hash_key(partition, cursor);
        let (mut members, mut last_hash) = (Vec::new(), None);
        for guard in files.members.range(from.as_slice()..) {
            let (key, form) = guard.into_inner().map_err(|error| files.failure(error))?;
            let Some((head, member)) = key.split_first_chunk::<10>() else {
                return Err(damaged(&files.what, format!("a member's key has {} bytes", key.len())));
            };
            if head[..2] != from[..2] {
                break;
            }
            let hash = u64::from_be_bytes(head[2..].try_into().expect("8 bytes"));
            if let Some(last) = last_hash
                && members.len() >= SCAN_MEMBERS
                && hash != last
            {
                return Ok((hash, members));
            }
            let member = std::str::from_utf8(member)
                .map_err(|error| damaged(&files.what, format!("a member of {partition}: {error}")))?;
            members.push((member.into(), form.into()));
            last_hash = Some(hash);
        }
        Ok((0, members))
    }

    fn outbox_now(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, PortError> {
        let files = &self.files;
        let range = outbox_key(partition, after.next())..=outbox_key(partition, Position::MAX);
        let mut entries = Vec::new();
        for guard in files.outbox.range(range).take(limit) {
            let (key, delta) = guard.into_inner().map_err(|error| files.failure(error))?;
            let position = key.last_chunk::<8>().filter(|_| key.len() == 10).ok_or_else(|| {
                damaged(&files.what, format!("an outbox key has {} bytes, not 10", key.len()))
            })?;
            entries
                .push(OutboxEntry { position: Position(u64::from_be_bytes(*position)), delta: delta.into() });
        }
        Ok(entries)
    }

    fn save_now(&self, snapshot: &AggregatesSnapshot) -> Result<bool, PortError> {
        let files = &self.files;
        let _held = self.snapshot.lock();
        if let Some(stored) = StoredHead::read(files)? {
            let offered = |at: usize| snapshot.positions.get(at).copied().unwrap_or_default();
            if stored.positions.iter().enumerate().any(|(at, stored)| offered(at) < *stored) {
                return Ok(false);
            }
        }
        let mut batch = files.batch(1, PersistMode::Buffer);
        aggregates_snapshot::replace(files, &mut batch, snapshot)?;
        for (partition, position) in (0..=u16::MAX).map(PartitionId).zip(&snapshot.positions) {
            let covered = outbox_key(partition, Position::START)..outbox_key(partition, *position);
            for guard in files.outbox.range(covered) {
                batch.remove(&files.outbox, guard.key().map_err(|error| files.failure(error))?);
            }
        }
        batch.commit().map_err(|error| files.failure(error))?;
        Ok(true)
    }

    /// The row goes last: interrupted, the partition is where it was, and is to be forgotten again.
    fn forget_now(&self, partition: PartitionId) -> Result<(), PortError> {
        let files = &self.files;
        let mut row = files.row(partition)?.lock();
        for keyspace in [&files.outbox, &files.symbols, &files.members] {
            loop {
                let mut batch = files.batch(FORGOTTEN_AT_ONCE, PersistMode::Buffer);
                let mut count = 0;
                for guard in keyspace.prefix(partition.0.to_be_bytes()).take(FORGOTTEN_AT_ONCE) {
                    batch.remove(keyspace, guard.key().map_err(|error| files.failure(error))?);
                    count += 1;
                }
                batch.commit().map_err(|error| files.failure(error))?;
                if count < FORGOTTEN_AT_ONCE {
                    break;
                }
            }
        }
        let forgotten = row.forgotten();
        let mut batch = files.batch(2, files.persist);
        batch.remove(&files.fold_states, partition.0.to_be_bytes());
        batch.insert(&files.partitions, partition.0.to_be_bytes(), forgotten.encode());
        batch.commit().map_err(|error| files.failure(error))?;
        files.committed.set(partition, Position::START);
        if let Some(current) = files.epochs.get(usize::from(partition.0)) {
            current.store(forgotten.epoch.0, Ordering::Release);
        }
        *row = forgotten;
        Ok(())
    }

    fn forget_snapshot_now(&self) -> Result<(), PortError> {
        let files = &self.files;
        let _held = self.snapshot.lock();
        let mut batch = files.batch(1, files.persist);
        aggregates_snapshot::remove(files, &mut batch)?;
        batch.commit().map_err(|error| files.failure(error))
    }

    fn load_snapshot_now(&self) -> Result<Option<AggregatesSnapshot>, PortError> {
        // A snapshot that is replaced between two pieces would be of both.
        let _held = self.snapshot.lock();
        let head = StoredHead::read(&self.files)?;
        head.map(|head| head.snapshot(&self.files)).transpose()
    }
}

fn hash_key(partition: PartitionId, hash: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&partition.0.to_be_bytes());
    key[2..].copy_from_slice(&hash.to_be_bytes());
    key
}

fn member_key(partition: PartitionId, member: &str) -> Vec<u8> {
    [&hash_key(partition, nearline_model::identifier::fingerprint(member)), member.as_bytes()].concat()
}

fn symbol_key(partition: PartitionId, number: u32) -> [u8; 6] {
    let mut key = [0; 6];
    key[..2].copy_from_slice(&partition.0.to_be_bytes());
    key[2..].copy_from_slice(&number.to_be_bytes());
    key
}

fn outbox_key(partition: PartitionId, position: Position) -> [u8; 10] {
    super::log_files::record_key(partition, position)
}

#[async_trait]
impl StateStore for EmbeddedStore {
    fn memory_bytes(&self) -> usize {
        self.files.memory_bytes()
    }

    async fn acquire(
        &self,
        partition: PartitionId,
        log: &str,
        settings: &str,
    ) -> Result<Acquired, PortError> {
        let (log, settings) = (log.to_owned(), settings.to_owned());
        self.off_thread(move |store| store.acquire_now(partition, &log, &settings)).await
    }

    async fn folded_log(&self, partition: PartitionId) -> Result<Option<String>, PortError> {
        self.off_thread(move |store| Ok(store.files.row(partition)?.lock().log.clone())).await
    }

    async fn keep_beginning(&self, partition: PartitionId, found: Position) -> Result<Position, PortError> {
        self.off_thread(move |store| store.keep_beginning_now(partition, found)).await
    }

    async fn fold_settings(&self, partition: PartitionId) -> Result<Option<String>, PortError> {
        self.off_thread(move |store| Ok(store.files.row(partition)?.lock().settings.clone())).await
    }

    async fn position(&self, partition: PartitionId) -> Result<Position, PortError> {
        self.off_thread(move |store| Ok(store.files.row(partition)?.lock().position)).await
    }

    async fn symbols(&self, partition: PartitionId) -> Result<Vec<Arc<str>>, PortError> {
        self.off_thread(move |store| store.all_symbols(partition)).await
    }

    async fn fold_state(&self, partition: PartitionId) -> Result<Option<Bytes>, PortError> {
        self.off_thread(move |store| store.fold_state_now(partition)).await
    }

    async fn names(
        &self,
        partition: PartitionId,
        symbols: &[Symbol],
    ) -> Result<Vec<Option<Arc<str>>>, PortError> {
        let symbols = symbols.to_vec();
        self.off_thread(move |store| symbols.iter().map(|symbol| store.name(partition, *symbol)).collect())
            .await
    }

    async fn load_members(
        &self,
        partition: PartitionId,
        members: &[Box<str>],
    ) -> Result<Vec<Option<Bytes>>, PortError> {
        if members.len() <= INLINE_MEMBERS {
            return self.load_now(partition, members);
        }
        let members = members.to_vec();
        self.off_thread(move |store| store.load_now(partition, &members)).await
    }

    async fn load_owned(
        &self,
        partition: PartitionId,
        epoch: OwnerEpoch,
        members: &[Box<str>],
    ) -> Result<(Position, Vec<Option<Bytes>>), PortError> {
        if members.len() <= INLINE_MEMBERS {
            return self.load_owned_now(partition, epoch, members);
        }
        let members = members.to_vec();
        self.off_thread(move |store| store.load_owned_now(partition, epoch, &members)).await
    }

    async fn commit(&self, commit: Arc<Commit>) -> Result<(), PortError> {
        self.off_thread(move |store| store.commit_now(&commit)).await
    }

    async fn scan_members(
        &self,
        partition: PartitionId,
        cursor: u64,
    ) -> Result<(u64, Vec<(Box<str>, Bytes)>), PortError> {
        self.off_thread(move |store| store.scan_now(partition, cursor)).await
    }

    async fn outbox(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<OutboxEntry>, PortError> {
        self.off_thread(move |store| store.outbox_now(partition, after, limit)).await
    }

    async fn forget_partition(&self, partition: PartitionId) -> Result<(), PortError> {
        self.off_thread(move |store| store.forget_now(partition)).await
    }

    async fn forget_aggregates(&self) -> Result<(), PortError> {
        self.off_thread(Self::forget_snapshot_now).await
    }

    /// Whoever opened the directory is alone in it, and it is not set back while it is open.
    async fn save_aggregates(
        &self,
        snapshot: AggregatesSnapshot,
        _generation: u64,
    ) -> Result<bool, PortError> {
        self.off_thread(move |store| store.save_now(&snapshot)).await
    }

    async fn aggregates_positions(&self) -> Result<Option<Vec<Position>>, PortError> {
        self.off_thread(|store| Ok(StoredHead::read(&store.files)?.map(|head| head.positions))).await
    }

    async fn load_aggregates(&self) -> Result<Option<AggregatesSnapshot>, PortError> {
        self.off_thread(Self::load_snapshot_now).await
    }

    async fn save_tuning(&self, tuning: Bytes) -> Result<(), PortError> {
        self.off_thread(move |store| {
            let files = &store.files;
            let mut batch = files.batch(1, PersistMode::Buffer);
            batch.insert(&files.aggregates, TUNING_KEY, tuning);
            batch.commit().map_err(|error| files.failure(error))
        })
        .await
    }

    async fn load_tuning(&self) -> Result<Option<Bytes>, PortError> {
        self.off_thread(|store| {
            let files = &store.files;
            let stored = files.aggregates.get(TUNING_KEY).map_err(|error| files.failure(error))?;
            Ok(stored.map(Bytes::from))
        })
        .await
    }
}
