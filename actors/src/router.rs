//! The router: takes a query to the partition's actor, else to the store, else answers without.

use crate::partition_actor::GetMember;
use crate::ports::Ports;
use crate::status::PartitionShared;
use nearline_model::identifier::partition_of;
use nearline_model::symbols::Symbols;
use nearline_model::{Member, MemberSnapshot, Position};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Where an answer comes from, freshest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The partition's actor: every event folded.
    Live,
    /// The store: every event committed.
    Store,
    /// The aggregates alone: the member's own history could not be reached in time.
    Popular,
}

impl Source {
    /// Name in answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Store => "store",
            Self::Popular => "popular",
        }
    }
}

/// A member's state, as fresh as it could be had in time.
#[derive(Debug, Clone)]
pub struct MemberAnswer {
    /// Where it comes from.
    pub source: Source,
    /// The state; `None` only for [`Source::Popular`].
    pub snapshot: Option<MemberSnapshot>,
    /// Position that it reflects; 0 for [`Source::Popular`].
    pub position: Position,
}

/// The position asked for was not reached in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("state is at position {position}, asked for was {wanted}; ask again in a moment")]
pub struct NotReached {
    /// Position of the state.
    pub position: Position,
    /// Position asked for.
    pub wanted: Position,
}

/// Knows every partition's actor.
#[derive(Clone)]
pub struct Router {
    partitions: Arc<[Arc<PartitionShared>]>,
    ports: Ports,
    deadline: Duration,
    symbols_limit: usize,
}

impl Router {
    /// A router that answers within `deadline`.
    pub fn new(
        partitions: Arc<[Arc<PartitionShared>]>,
        ports: Ports,
        deadline: Duration,
        symbols_limit: usize,
    ) -> Self {
        Self { partitions, ports, deadline, symbols_limit }
    }

    /// The member's state at a position of at least `after`, within the deadline.
    ///
    /// # Errors
    /// [`NotReached`] if `after` was asked for and no source is there yet.
    pub async fn member(
        &self,
        member: &str,
        complete: bool,
        after: Option<Position>,
    ) -> Result<MemberAnswer, NotReached> {
        let partition = partition_of(member, self.partitions.len() as u16);
        let shared = &self.partitions[usize::from(partition.0)];
        let start = Instant::now();
        let wanted = after.unwrap_or(0);
        // A caller that insists on a position gets the whole time for it; others leave the store half.
        let live_until = start + if wanted > 0 { self.deadline } else { self.deadline / 2 };
        if let Ok(Some(snapshot)) =
            timeout_at(live_until, self.ask_actor(shared, member, complete, wanted)).await
        {
            return Ok(answer(Source::Live, Some(snapshot)));
        }
        if wanted > 0 {
            return Err(NotReached { position: shared.folded.load(Relaxed), wanted });
        }
        let stored = timeout_at(start + self.deadline, self.ask_store(shared, member, complete)).await;
        if let Ok(Some(snapshot)) = stored {
            return Ok(answer(Source::Store, Some(snapshot)));
        }
        Ok(answer(Source::Popular, None))
    }

    /// Asks the actor; while there is none (it is being rebuilt), waits for the next one.
    async fn ask_actor(
        &self,
        shared: &PartitionShared,
        member: &str,
        complete: bool,
        after: Position,
    ) -> Option<MemberSnapshot> {
        let mut addresses = shared.address.subscribe();
        loop {
            let address = addresses.borrow_and_update().clone();
            if let Some(address) = address {
                let question = GetMember { member: member.to_owned(), complete, after };
                tokio::select! {
                    answer = address.send(question) => if let Ok(Some(snapshot)) = answer {
                        return Some(snapshot);
                    },
                    // It was replaced before it answered: whoever is there now is asked.
                    changed = addresses.changed() => {
                        changed.ok()?;
                        continue;
                    }
                }
            }
            addresses.changed().await.ok()?;
        }
    }

    async fn ask_store(
        &self,
        shared: &PartitionShared,
        member: &str,
        complete: bool,
    ) -> Option<MemberSnapshot> {
        let asked = [Box::from(member)];
        let stored = self.ports.store.load_members(shared.partition, &asked).await.ok()?;
        let state = match stored.into_iter().next().flatten() {
            Some(bytes) => Member::decode(&bytes).ok()?,
            None => Member::default(),
        };
        // Symbols are only ever added, so those read after the member name all that it holds.
        let (position, names) = self.ports.store.peek(shared.partition).await.ok()?;
        let mut symbols = Symbols::new(self.symbols_limit);
        for name in &names {
            symbols.intern(name).ok()?;
        }
        Some(MemberSnapshot::new(member, position, &state, &symbols, complete))
    }
}

fn answer(source: Source, snapshot: Option<MemberSnapshot>) -> MemberAnswer {
    let position = snapshot.as_ref().map_or(0, |snapshot| snapshot.position);
    MemberAnswer { source, snapshot, position }
}
