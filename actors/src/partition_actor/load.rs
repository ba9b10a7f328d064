//! Loading members from the store, many at a time.

use super::{Ended, PartitionActor};
use crate::progress::Hold;
use crate::retry::until_done;
use actix::prelude::*;
use nearline_model::partition::Slot;
use nearline_ports::PortError;

/// Members asked for in one request to the store.
const LOAD_MEMBERS: usize = 1_024;

impl PartitionActor {
    /// Loads the members in `slots`, then folds what waited for them.
    pub(super) fn load(&mut self, slots: Vec<Slot>, context: &mut Context<Self>) {
        for chunk in slots.chunks(LOAD_MEMBERS) {
            self.load_chunk(chunk.to_vec(), context);
        }
    }

    /// Asks whether this owner still is the one, once, where nothing is stored yet: no member is loaded there, which asks
    /// otherwise. A log begins with what it has kept, so whoever was superseded and reads it only now would make
    /// facts of half a history, and those are published before the commit that is fenced.
    pub(super) fn prove_ownership(&mut self, context: &mut Context<Self>) {
        if !self.is_proven && self.loads_running == 0 {
            self.load_chunk(Vec::new(), context);
        }
    }

    fn load_chunk(&mut self, slots: Vec<Slot>, context: &mut Context<Self>) {
        let members: Vec<Box<str>> = self
            .partition
            .with(|partition| slots.iter().map(|slot| Box::from(partition.member_in(*slot))).collect());
        let (store, progress, partition) = (self.ports.store.clone(), self.progress.clone(), self.id);
        self.loads_running += 1;
        let (incarnation, epoch) = (self.incarnation, self.epoch);
        let committed = self.progress.committed.load();
        let loading = async move {
            let hold = |error: &PortError| {
                progress.hold(incarnation, Hold::Load, error, 0);
                tracing::warn!(%partition, %error, "loading members is held");
            };
            let ask = || async {
                match members.is_empty() {
                    true => Ok((store.prove_owner(partition, epoch).await?, Vec::new())),
                    false => store.load_owned(partition, epoch, &members).await,
                }
            };
            let loaded = until_done(ask, hold).await;
            progress.resume(incarnation, Hold::Load);
            loaded
        };
        context.spawn(loading.into_actor(self).map(move |loaded, actor, context| {
            if actor.broken {
                return;
            }
            actor.loads_running -= 1;
            let filled = loaded.and_then(|(position, stored)| {
                let taken = actor.partition.with(|partition| partition.taken());
                if !(committed..=taken).contains(&position) {
                    // It was set back: what was just read lacks what is folded here.
                    return Err(PortError::UnexpectedPosition {
                        partition,
                        expected: committed,
                        found: position,
                    });
                }
                metrics::counter!("nearline_member_loads_total").increment(stored.len() as u64);
                actor.partition.with(|partition| {
                    for (slot, stored) in slots.iter().zip(stored) {
                        partition.loaded(*slot, stored.as_deref()).map_err(|error| PortError::Damaged {
                            what: format!("member {} of {}", partition.member_in(*slot), partition.id()),
                            detail: error.to_string(),
                        })?;
                    }
                    Ok(())
                })
            });
            match filled {
                Ok(()) => {
                    actor.is_proven = true;
                    actor.fold_ready(context);
                }
                Err(error) => actor.end(Ended::Failed(error), context),
            }
        }));
    }
}
