//! Building an actor: take the partition over, put what is condemned into quarantine, load, start.

use super::{Life, Memory, Supervisor};
use crate::aggregates_actor::CatchUp;
use crate::partition_actor::{Ended, PartitionActor, Parts, panic_message};
use crate::partition_handle::RunningActor;
use crate::presence::Attendance;
use crate::reader::{Reader, same_log};
use crate::stored_sums::end_ahead_of;
use actix::prelude::*;
use nearline_model::check_invariant;
use nearline_model::identifier::sequence_of;
use nearline_model::quarantine::Quarantine;
use nearline_model::{Partition, Position};
use nearline_ports::stored::same_settings;
use nearline_ports::{Acquired, PortError};
use std::sync::Arc;
use tokio::sync::{oneshot, watch};

impl Supervisor {
    /// Takes the partition over and starts an actor and its reader; `None`: the engine is stopping.
    pub(super) async fn build(&self, memory: &mut Memory) -> Result<Option<Life>, PortError> {
        let id = self.handle.partition;
        let attendance = Arc::new(Attendance::new(self.node.presence.clone()));
        let (acquired, quarantine, sums_end) = self.acquire(memory).await?;
        let (epoch, position, mark) = (acquired.epoch, acquired.position, acquired.mark);
        if !self.aggregates.connected() {
            return Ok(None);
        }
        self.catch_up(position);
        let partition = self.restore(acquired).await?;
        let incarnation = self.handle.take_over();
        check_invariant!(I5, self.handle.address().is_none(), "an earlier actor of {id} is still asked");
        self.handle.epoch.store(epoch);
        // Set back, it is what it was only when it has folded again what it had.
        self.handle.had.store(self.handle.had.load().max(self.handle.folded.load()));
        self.handle.had_committed.store(self.handle.had_committed.load().max(self.handle.committed.load()));
        for place in [&self.handle.folded, &self.handle.committed, &self.handle.read] {
            place.store(position);
        }
        let worker = self.node.workers.of(usize::from(id.0));
        let ((live, is_live), (end, ended)) = (oneshot::channel(), oneshot::channel());
        let (recreate, control) = watch::channel(0);
        let why = Arc::new(parking_lot::Mutex::new(None));
        let reader_parts = (self.ports.log.clone(), self.node.faults.clone());
        let parts = Parts {
            partition,
            epoch,
            ports: self.ports.clone(),
            settings: self.settings.clone(),
            progress: self.handle.progress.clone(),
            watches: self.handle.watches.clone(),
            incarnation,
            aggregates: self.aggregates.clone(),
            worker: worker.clone(),
            quarantine,
            suspects: memory.history.suspects.clone(),
            sums_end,
            attendance,
            faults: self.node.faults.clone(),
            live,
            ended: why.clone(),
        };
        let handle = self.handle.clone();
        worker.spawn_fn(move || {
            let (progress, settings) = (parts.progress.clone(), parts.settings.clone());
            let context = Context::new();
            let actor = PartitionActor::new(parts);
            let reached = RunningActor { address: context.address(), incarnation, members: actor.members() };
            let running = actix_rt::spawn(context.into_future(actor));
            let (log, faults) = reader_parts;
            let actor = reached.address.clone();
            let last = (position, mark);
            let reader = Reader { log, progress, incarnation, actor, settings, faults, last };
            actix_rt::spawn(reader.run(control));
            handle.write(incarnation, |_| handle.actor.set(Some(reached)));
            actix_rt::spawn(async move {
                let joined = running.await;
                let told = why.lock().take();
                let ended = told.unwrap_or_else(|| ended_untold(joined));
                let _nobody_waits = end.send(ended);
            });
        });
        let life = Life { worker, reader: recreate, live: is_live, ended, incarnation, started_at: position };
        Ok(Some(life))
    }

    /// What was committed but not learned here before is in the outbox. The partition does not wait for it:
    /// a node that has just joined has much to learn. What is committed next finds the gap if this fails.
    fn catch_up(&self, position: Position) {
        let (aggregates, partition) = (self.aggregates.clone(), self.handle.partition);
        actix_rt::spawn(async move {
            match aggregates.send(CatchUp(partition, position)).await {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(error)) => tracing::warn!(%partition, %error, "the sums are behind for now"),
            }
        });
    }

    /// Where the stored sums of the partition end, if that is ahead of its `state`.
    async fn sums_end(&self, state: Position) -> Result<Option<Position>, PortError> {
        let id = self.handle.partition;
        let Some(end) = end_ahead_of(state, &self.ports, id).await? else { return Ok(None) };
        let last = self.ports.log.bounds(id).await?.last;
        if last < end {
            return Err(PortError::Damaged {
                what: format!("the log {}", self.ports.log.identity()),
                detail: format!(
                    "it ends at position {last} of partition {id}, and the stored sums reflect events up to {end}: \
                     acknowledged events are gone, and new ones would not be counted; restore the log"
                ),
            });
        }
        Ok(Some(end))
    }

    /// What the partition goes on from, what it steps over, and where its stored sums end if they are ahead.
    async fn acquire(
        &self,
        memory: &mut Memory,
    ) -> Result<(Acquired, Quarantine, Option<Position>), PortError> {
        let id = self.handle.partition;
        let settings = serde_json::to_string(&self.settings.fold).expect("settings are plain numbers");
        let acquired = self.ports.store.acquire(id, self.ports.log.identity(), &settings).await?;
        same_log(&*self.ports.log, id, acquired.position, acquired.mark).await?;
        if memory.lives_end_unusable {
            // Live for the moment until its reader finds the same again, it would be neither, and each attempt a remediation.
            self.ports.log.open_reader(id, acquired.position).await?;
        }
        if let Some(kept) = &acquired.settings {
            same_settings(id, kept, &self.settings.fold)?;
        }
        if acquired.position.is_start() {
            self.check_beginning().await?;
        }
        if let Some(condemned) = &memory.condemned {
            // Under the new epoch: nobody else can have folded the event, or will.
            if condemned.position > acquired.position {
                self.ports.quarantine.quarantine(id, acquired.epoch, condemned).await?;
                metrics::counter!("nearline_quarantined_events_total").increment(1);
            }
            memory.history.suspects.remove(condemned.position);
            memory.condemned = None;
            self.ports.quarantine.suspect(id, acquired.epoch, &memory.history.suspects).await?;
        }
        // Earlier owners may have put something there, up to their end.
        let troubles = self.ports.quarantine.troubles(id).await?;
        if !memory.is_complete {
            memory.history.suspects = troubles.suspects;
            memory.is_complete = true;
        }
        memory.history.suspects.acquit(acquired.position);
        memory.history.quarantined = troubles.quarantine.len();
        let sums_end = self.sums_end(acquired.position).await?;
        Ok((acquired, troubles.quarantine, sums_end))
    }

    /// Where nothing is folded yet, the log must begin where it did for the first who came: what is gone since was never counted.
    /// A log that had lost its beginning before that is taken as it is, and said.
    async fn check_beginning(&self) -> Result<(), PortError> {
        let (id, log) = (self.handle.partition, &self.ports.log);
        let first = log.bounds(id).await?.first;
        let is_whole = first.is_start()
            || sequence_of(first, id, log.partitions()).is_some_and(|number| log.blocks().follows(0, number));
        let first = if is_whole { Position::START } else { first };
        let begun = self.ports.store.keep_beginning(id, first).await?;
        let had = self.handle.had_committed.load().max(self.handle.committed.load());
        if is_whole || (begun >= first && had.is_start()) {
            if !is_whole {
                tracing::warn!(partition = %id, %first, "the log no longer holds its beginning: what was before is not counted");
            }
            return Ok(());
        }
        Err(PortError::Damaged {
            what: format!("the log {}", log.identity()),
            detail: format!(
                "it begins at position {first} of partition {id}, and nothing of it is stored: events before that are gone though \
                 they were never counted, or their state is; restore the log or the store, or give the engines an empty store \
                 (another redis.key_prefix) to fold what is left; keep the log longer"
            ),
        })
    }

    /// Off this thread: all supervisors share it, and there may be very many symbols.
    async fn restore(&self, acquired: Acquired) -> Result<Partition, PortError> {
        let (id, partitions) = (self.handle.partition, self.ports.log.partitions());
        let fold = self.settings.fold.clone();
        let restore = move || {
            let Acquired { position, symbols, fold_state, .. } = acquired;
            Partition::restore(id, partitions, fold, position, &symbols, fold_state.as_deref())
        };
        let what = || format!("symbols of {id}");
        match self.settings.threads.compute(restore).await {
            Some(Ok(partition)) => Ok(partition),
            Some(Err(error)) => Err(PortError::Damaged { what: what(), detail: error.to_string() }),
            None => Err(PortError::Unavailable { what: what(), detail: "reading them panicked".into() }),
        }
    }
}

/// Why an actor ended that did not say so.
fn ended_untold(joined: Result<(), tokio::task::JoinError>) -> Ended {
    let message = match joined {
        Ok(()) => "it ended unasked".to_owned(),
        Err(join) => {
            join.try_into_panic().map_or_else(|error| error.to_string(), |panic| panic_message(&*panic))
        }
    };
    Ended::Panicked { position: None, message }
}
