//! The router: takes a query to the partition's actor, here or on the node that owns it, else to the
//! store, else answers without.

use crate::member_answer::{MemberAnswer, NotReached, Source};
use crate::partition_actor::GetMember;
use crate::partition_handle::{PartitionHandle, RunningActor};
use crate::peers::question::{self, MemberQuestion, MemberReply};
use crate::presence::Presence;
use crate::settings::EngineSettings;
use nearline_model::check_invariant;
use nearline_model::control::assignment::NodeId;
use nearline_model::identifier::partition_of;
use nearline_model::{MemberSnapshot, Position};
use nearline_ports::Ports;
use nearline_ports::trace::{self, Kind, Span};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Time before a question that a node was not ready for is asked again: partitions move within tens of
/// milliseconds.
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// Questions to the store under way at most, beside those to owners.
const HEDGES_UNDER_WAY: usize = 64;

/// Knows every partition's actor.
#[derive(Clone)]
pub struct Router {
    node: NodeId,
    partitions: Arc<[Arc<PartitionHandle>]>,
    ports: Ports,
    deadline: Duration,
    hedge_after: Duration,
    hedges: Arc<Semaphore>,
    presence: Arc<Presence>,
}

impl Router {
    /// A router that answers within `deadline`, and asks the store too if the partition's owner has not
    /// answered after `hedge_after`.
    pub(crate) fn new(
        node: NodeId,
        partitions: Arc<[Arc<PartitionHandle>]>,
        ports: Ports,
        settings: &EngineSettings,
        presence: Arc<Presence>,
    ) -> Self {
        let deadline = Duration::from_millis(settings.query_deadline_ms.max(1));
        let hedge_after = Duration::from_millis(settings.query_hedge_ms);
        let hedges = Arc::new(Semaphore::new(HEDGES_UNDER_WAY));
        Self { node, partitions, ports, deadline, hedge_after, hedges, presence }
    }

    /// The member's state at a position of at least `after`, within the deadline.
    ///
    /// # Errors
    /// [`NotReached`] if `after` was asked for and no source is there yet; at once if the partition's log
    /// has no such position.
    pub async fn member(
        &self,
        member: &str,
        complete: bool,
        after: Option<Position>,
    ) -> Result<MemberAnswer, NotReached> {
        let mut span = Span::here("find member", Kind::Internal);
        let answer = match span.context() {
            None => self.freshest(member, complete, after).await,
            Some(_) => trace::within(&span, false, self.freshest(member, complete, after)).await,
        };
        let source = answer.as_ref().map_or("not_reached", |answer| answer.source.name());
        metrics::counter!("nearline_member_queries_total", "source" => source).increment(1);
        span.set("nearline.source", source);
        if let Ok(answer) = &answer {
            span.set("nearline.position", answer.position.0);
        }
        answer
    }

    async fn freshest(
        &self,
        member: &str,
        complete: bool,
        after: Option<Position>,
    ) -> Result<MemberAnswer, NotReached> {
        let partition = partition_of(member, self.partitions.len() as u16);
        let handle = &self.partitions[usize::from(partition.0)];
        let start = Instant::now();
        let wanted = after.unwrap_or_default();
        let deadline = start + self.deadline;
        let not_reached = |log_end| NotReached { position: handle.folded.load(), wanted, log_end };
        let answered = timeout_at(deadline, async {
            tokio::select! {
                biased;
                Some(snapshot) = self.ask_owner(handle, member, complete, wanted, deadline) => {
                    Some(Ok(MemberAnswer::new(Source::Live, Some(snapshot))))
                }
                // An owner that is slow, being rebuilt or dead is not waited for alone.
                Some(snapshot) = self.hedge(member, complete, wanted, start) => {
                    Some(Ok(MemberAnswer::new(Source::Store, Some(snapshot))))
                }
                Some(end) = self.log_end_before(handle, wanted) => Some(Err(not_reached(Some(end)))),
                else => None,
            }
        });
        match answered.await {
            Ok(Some(answered)) => {
                let position = answered.as_ref().map_or(wanted, |answer| answer.position);
                check_invariant!(I7, position >= wanted, "answered from {position}, asked for was {wanted}");
                answered
            }
            _ if !wanted.is_start() => Err(not_reached(None)),
            _ => Ok(MemberAnswer::new(Source::Popular, None)),
        }
    }

    /// After a moment, asks the store for a state at a position of at least `wanted`. So many at once at
    /// most: where everything is slow, asking twice for everything makes nothing faster.
    async fn hedge(
        &self,
        member: &str,
        complete: bool,
        wanted: Position,
        start: Instant,
    ) -> Option<MemberSnapshot> {
        sleep_until(start + self.hedge_after.min(self.deadline / 2)).await;
        let _permit = self.hedges.acquire().await.ok()?;
        metrics::counter!("nearline_queries_hedged_total").increment(1);
        let snapshot = self.ask_store(member, complete).await?;
        (snapshot.position >= wanted).then_some(snapshot)
    }

    /// The end of the partition's log, if it is before `wanted`. What was acknowledged is in the log, so
    /// a position beyond its end was not given for this partition.
    async fn log_end_before(&self, handle: &PartitionHandle, wanted: Position) -> Option<Position> {
        if handle.folded.load() >= wanted {
            return None;
        }
        let end = self.ports.log.bounds(handle.partition).await.ok()?.last;
        (end < wanted && handle.folded.load() < wanted).then_some(end)
    }

    /// Whether this node is to run the partition, as far as it knows.
    fn is_here(&self, handle: &PartitionHandle) -> bool {
        handle.owner.get().is_none_or(|owner| owner == self.node)
    }

    /// Asks whoever owns the partition, and follows it when it moves.
    async fn ask_owner(
        &self,
        handle: &PartitionHandle,
        member: &str,
        complete: bool,
        after: Position,
        deadline: Instant,
    ) -> Option<MemberSnapshot> {
        loop {
            let owner = handle.owner.get().filter(|owner| *owner != self.node);
            let Some(owner) = owner else {
                match self.ask_actor(handle, member, complete, after).await {
                    Some(snapshot) => return Some(snapshot),
                    // It moved away.
                    None => continue,
                }
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let asked = MemberQuestion {
                member: member.to_owned(),
                complete,
                after,
                deadline_ms: left.as_millis() as u64,
                traceparent: trace::here().map(|here| here.to_string()),
            };
            match question::ask(&*self.ports.membership, &owner, &asked).await {
                Ok(MemberReply::Live(snapshot)) => return Some(*snapshot),
                Ok(MemberReply::Busy) => return None,
                Ok(MemberReply::NotHere) => {}
                Err(error) => tracing::debug!(%owner, %error, "the owner does not answer"),
            }
            let mut owners = handle.owner.watch();
            // Either it is known anew who owns it, or the owner gets there in a moment.
            let _moved = tokio::time::timeout(ASK_AGAIN, owners.changed()).await;
        }
    }

    /// The member's state for another node; `None` if the partition does not run here.
    pub(crate) async fn ask_here(
        &self,
        member: &str,
        complete: bool,
        after: Position,
    ) -> Option<MemberSnapshot> {
        let partition = partition_of(member, self.partitions.len() as u16);
        let handle = &self.partitions[usize::from(partition.0)];
        if !self.is_here(handle) {
            return None;
        }
        self.ask_actor(handle, member, complete, after).await
    }

    /// Reads what the actor has folded, or asks it; while there is none (it is being rebuilt), waits for the next one.
    /// `None`: the partition now belongs to another node.
    async fn ask_actor(
        &self,
        handle: &PartitionHandle,
        member: &str,
        complete: bool,
        after: Position,
    ) -> Option<MemberSnapshot> {
        let mut actors = handle.actor.watch();
        let mut owners = handle.owner.watch();
        loop {
            let actor = actors.look();
            owners.look();
            if !self.presence.is_there() {
                // Somebody else may own the partition since.
                tokio::time::sleep(ASK_AGAIN).await;
                continue;
            }
            if let Some(RunningActor { address, incarnation, members }) = actor {
                if let Some(snapshot) = members.read(member, complete, after)
                    && handle.is_current(incarnation)
                    && self.presence.is_there()
                {
                    return Some(snapshot);
                }
                let question = GetMember { member: member.to_owned(), complete, after };
                tokio::select! {
                    biased;
                    answer = address.send(question) => if let Ok(Some(snapshot)) = answer
                        && self.presence.is_there()
                    {
                        return Some(snapshot);
                    },
                    // It was replaced before it answered: whoever is there now is asked.
                    _replaced = actors.changed() => continue,
                }
            }
            if !self.is_here(handle) {
                return None;
            }
            tokio::select! {
                biased;
                _built = actors.changed() => {}
                _moved = owners.changed() => {}
            }
        }
    }

    async fn ask_store(&self, member: &str, complete: bool) -> Option<MemberSnapshot> {
        let stored = nearline_ports::stored::member(&self.ports, member, complete).await;
        stored.ok().map(|stored| stored.snapshot)
    }
}
