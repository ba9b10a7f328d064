//! The engine: what callers hold. It starts the actors (`start`), answers queries, stops in order.
//!
//! Futures that other rooms wait for are boxed: what is in them is compiled here once, not by each who waits.

pub(crate) mod catalogue;
mod giving;
mod injection;
mod log_watch;
mod start;

pub use giving::NotGivenAway;

use crate::aggregates_actor::{AggregatesActor, SaveSnapshot};
use crate::basis::Basis;
use crate::event_loop::EventLoop;
use crate::facts::Offer;
use crate::member_answer::{MemberAnswer, NotReached};
use crate::member_watch::MemberWatch;
use crate::memory::{MeasuredShared, MemorySizes};
use crate::node::SupervisedNode;
use crate::ownership::{Handle, NodeStatus};
use crate::partition_actor::CommitNow;
use crate::partition_handle::PartitionHandle;
use crate::progress::{PartitionState, PartitionStatus};
use crate::readiness::{NotReady, Readiness};
use crate::recommender::{
    Answer, NotAnswered, OfferedOrder, Question, Recommender, TitleQuestion, TrendQuestion,
};
use crate::remediations::Remediations;
use crate::router::Router;
use actix::prelude::*;
use catalogue::SharedCatalogue;
use futures_util::future::BoxFuture;
use nearline_model::aggregates::TableSize;
use nearline_model::catalogue::{CatalogueEntry, Title};
use nearline_model::control::assignment::NodeId;
use nearline_model::control::ownership::SumsRole;
use nearline_model::identifier::{OwnerEpoch, partition_of};
use nearline_model::{Aggregates, Position};
use nearline_ports::{PortError, Ports};
use nearline_ranking::Learned;
use nearline_ranking::experiment::{Experiment, ExperimentResults};
use nearline_ranking::gate::BudgetSpent;
use nearline_ranking::insights::Insights;
use nearline_ranking::offer::{OfferedRow, OfferedTitle, OfferedTrends};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Longest time that stopping waits for commits.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How large what an engine knows is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Titles that were played or shown.
    pub titles: usize,
    /// Pairs of titles counted.
    pub transitions: usize,
    /// Titles of the catalogue.
    pub catalogue_titles: usize,
}

/// A running engine. Clones are handles on the same one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    ports: Ports,
    node: NodeId,
    ownership: Handle,
    partitions: Arc<[Arc<PartitionHandle>]>,
    router: Router,
    recommender: Arc<Recommender>,
    aggregates: Arc<RwLock<Aggregates>>,
    aggregates_actor: Addr<AggregatesActor>,
    catalogue: Arc<SharedCatalogue>,
    catalogue_following: AbortHandle,
    learned: Arc<RwLock<Arc<Learned>>>,
    event_loops: Vec<EventLoop>,
    supervised: Arc<SupervisedNode>,
    stopping: Arc<AtomicBool>,
    readiness: Arc<Readiness>,
    measured: Arc<MeasuredShared>,
}

impl Engine {
    /// The outside.
    pub fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    /// Number of partitions.
    pub fn partition_count(&self) -> u16 {
        self.inner.partitions.len() as u16
    }

    /// A member's state, from the freshest source that answers in time; with `after`, at least as
    /// new as that position of the member's partition.
    ///
    /// # Errors
    /// [`NotReached`] if `after` was not reached in time.
    pub fn member<'a>(
        &'a self,
        member: &'a str,
        complete: bool,
        after: Option<Position>,
    ) -> BoxFuture<'a, Result<MemberAnswer, NotReached>> {
        Box::pin(self.inner.router.member(member, complete, after))
    }

    /// A row of titles for a member.
    ///
    /// # Errors
    /// [`NotAnswered`]: `after` was not reached in time, or filter and boost took too many steps.
    pub fn recommend<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Answer<Vec<OfferedTitle>>, NotAnswered>> {
        Box::pin(self.inner.recommender.recommend(&self.inner.router, question))
    }

    /// Titles that the caller has, in the order in which a member is likely to want them.
    ///
    /// # Errors
    /// Those of [`Engine::recommend`].
    pub fn order<'a>(
        &'a self,
        question: &'a Question,
        titles: Vec<String>,
    ) -> BoxFuture<'a, Result<Answer<OfferedOrder>, NotAnswered>> {
        Box::pin(self.inner.recommender.order(&self.inner.router, question, titles))
    }

    /// A page of at most `most_rows` rows for a member, no title twice.
    ///
    /// # Errors
    /// Those of [`Engine::recommend`].
    pub fn page<'a>(
        &'a self,
        question: &'a Question,
        most_rows: usize,
    ) -> BoxFuture<'a, Result<Answer<Vec<OfferedRow>>, NotAnswered>> {
        Box::pin(self.inner.recommender.page(&self.inner.router, question, most_rows))
    }

    /// The row of a member whose state was found before: the trend may have moved since.
    ///
    /// # Errors
    /// If filter and boost took too many steps.
    pub fn row(&self, question: &Question, found: &MemberAnswer) -> Result<Vec<OfferedTitle>, BudgetSpent> {
        self.inner.recommender.row(question, found)
    }

    /// Makes an answer of such a row.
    pub fn sign<T: Offer>(&self, question: &Question, found: &MemberAnswer, offered: T) -> Answer<T> {
        self.inner.recommender.sign(question, found, offered)
    }

    /// Titles that having watched one speaks for, best first; `None`: nothing is known of it.
    ///
    /// # Errors
    /// [`NotAnswered`]: filter and boost took too many steps, or too long.
    pub fn similar<'a>(
        &'a self,
        question: &'a TitleQuestion,
    ) -> BoxFuture<'a, Result<Option<Vec<OfferedTitle>>, NotAnswered>> {
        Box::pin(self.inner.recommender.similar(question))
    }

    /// What is taken and played most right now.
    ///
    /// # Errors
    /// [`NotAnswered`]: filter and boost took too many steps, or too long.
    pub fn trending<'a>(
        &'a self,
        question: &'a TrendQuestion,
    ) -> BoxFuture<'a, Result<OfferedTrends, NotAnswered>> {
        Box::pin(self.inner.recommender.trending(question))
    }

    /// The hour of the day, UTC: filters and boosts may depend on it.
    pub fn hour(&self) -> u8 {
        self.inner.recommender.hour()
    }

    /// How a title does; `None`: nothing is known of it.
    pub fn insights(&self, title: &str) -> Option<Insights> {
        self.inner.recommender.insights(title)
    }

    /// The experiments that run, each with its definition in short and how it does.
    pub fn experiments(&self) -> Vec<(Experiment, String, ExperimentResults)> {
        self.inner.recommender.experiments()
    }

    /// Tells whenever an event of `member` has been folded on this node.
    pub fn watch_member(&self, member: &str) -> MemberWatch {
        let partition = partition_of(member, self.partition_count());
        MemberWatch::on(&self.inner.partitions[usize::from(partition.0)].watches, member)
    }

    /// The epoch under which this node folds the events of `member`; `None`: another node does, as far as is
    /// known here. While it stays the same, [`Engine::watch_member`] tells of everything that is folded.
    pub fn folding_epoch(&self, member: &str) -> Option<OwnerEpoch> {
        let partition = partition_of(member, self.partition_count());
        let handle = &self.inner.partitions[usize::from(partition.0)];
        self.is_here(handle).then(|| handle.epoch.load())
    }

    /// What answers rest on now, beside the member's own state.
    pub fn basis(&self) -> Basis {
        let inner = &self.inner;
        let learned = inner.learned.read().clone();
        let changes = inner.catalogue.titles.read().changes();
        Basis::of(&inner.aggregates.read(), &learned, changes)
    }

    /// The aggregates. Hold the lock shortly.
    pub fn aggregates(&self) -> &Arc<RwLock<Aggregates>> {
        &self.inner.aggregates
    }

    /// Whether the catalogue has come. Until then nothing is offered in a country: what may be shown there cannot
    /// be told.
    pub fn is_catalogue_loaded(&self) -> bool {
        self.inner.catalogue.is_loaded()
    }

    /// A title of the catalogue.
    pub fn title(&self, id: &str) -> Option<Arc<Title>> {
        self.title_with_revision(id).map(|(title, _)| title)
    }

    /// A title of the catalogue, with the revision of this version.
    pub fn title_with_revision(&self, id: &str) -> Option<(Arc<Title>, u64)> {
        let catalogue = self.inner.catalogue.titles.read();
        Some((catalogue.get(id)?.clone(), catalogue.revision(id)?))
    }

    /// Stores titles durably, and shows them on this node at once.
    ///
    /// # Errors
    /// The catalogue's: some of them may be stored.
    pub fn put_titles(&self, titles: Vec<Title>) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            let revisions = self.inner.ports.catalogue.put(titles.clone()).await?;
            let mut catalogue = self.inner.catalogue.titles.write();
            for (title, revision) in titles.into_iter().zip(revisions) {
                catalogue.put_newer(CatalogueEntry { revision, title });
            }
            Ok(())
        })
    }

    /// Stores a title in the place of its version `revision`, and shows it on this node at once; `false` where
    /// another version was stored meanwhile.
    ///
    /// # Errors
    /// The catalogue's: it may be stored.
    pub fn replace_title(&self, title: Title, revision: u64) -> BoxFuture<'_, Result<bool, PortError>> {
        Box::pin(async move {
            let Some(revision) = self.inner.ports.catalogue.replace(title.clone(), revision).await? else {
                return Ok(false);
            };
            self.inner.catalogue.titles.write().put_newer(CatalogueEntry { revision, title });
            Ok(true)
        })
    }

    /// How full the tables of the sums are.
    pub fn tables(&self) -> Vec<TableSize> {
        self.inner.aggregates.read().tables().to_vec()
    }

    /// How large what is known is.
    pub fn sizes(&self) -> Sizes {
        let aggregates = self.inner.aggregates.read();
        Sizes {
            titles: aggregates.title_count(),
            transitions: aggregates.transition_count(),
            catalogue_titles: self.inner.catalogue.titles.read().len(),
        }
    }

    /// What is held in memory, as it was last measured.
    pub fn memory(&self) -> MemorySizes {
        let inner = &self.inner;
        let mut sizes = MemorySizes {
            log: inner.ports.log.memory_bytes(),
            store: inner.ports.store.memory_bytes(),
            ..MemorySizes::default()
        };
        inner.measured.fill(&mut sizes);
        for handle in inner.partitions.iter() {
            let progress = &handle.progress;
            if progress.state() != PartitionState::Elsewhere {
                let memory = progress.memory.get();
                sizes.members += memory.members;
                sizes.names += memory.names;
            }
        }
        sizes
    }

    /// This node's name.
    pub fn node(&self) -> &NodeId {
        &self.inner.node
    }

    /// How this node stands among the others.
    pub fn node_status(&self) -> NodeStatus {
        self.inner.ownership.status.borrow().clone()
    }

    /// Position of each partition that this node's sums reflect.
    pub fn sums_positions(&self) -> Vec<Position> {
        self.inner.aggregates.read().positions().to_vec()
    }

    /// What the ranking worked out of the sums a while ago.
    pub fn learned(&self) -> Arc<Learned> {
        self.inner.learned.read().clone()
    }

    /// Every partition's status.
    pub fn partitions(&self) -> Vec<PartitionStatus> {
        // Positions of a partition lie as far apart as there are partitions, and those where messages end as many times as far
        // as a block holds records.
        let blocks = self.inner.ports.log.blocks();
        let step = self.inner.partitions.len().max(1) as u64 * u64::from(blocks.records());
        let now_ms = self.inner.ports.clock.now_ms();
        let status = |handle: &Arc<PartitionHandle>| {
            let status = handle.status(now_ms);
            PartitionStatus { lag: status.lag.div_ceil(step), ..status }
        };
        self.inner.partitions.iter().map(status).collect()
    }

    /// Why the process is to end with a failure, once the remediation policy says so.
    pub fn exit_demanded(&self) -> BoxFuture<'_, String> {
        Box::pin(async move {
            let mut exit = self.inner.supervised.exit();
            loop {
                if let Some(reason) = exit.borrow_and_update().clone() {
                    return reason;
                }
                if exit.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        })
    }

    /// Remediations of this and earlier processes.
    pub fn remediations(&self) -> &Remediations {
        &self.inner.supervised.remediations
    }

    /// Threads that were left behind in blocked actors and are still stuck.
    pub fn leaked_threads(&self) -> usize {
        self.inner.supervised.workers.sweep()
    }

    /// Whether this node answers as it should; see [`NotReady`].
    pub fn is_ready(&self) -> bool {
        self.not_ready().is_empty()
    }

    /// What keeps this node from being ready; empty: it is.
    pub fn not_ready(&self) -> Vec<NotReady> {
        let inner = &self.inner;
        if inner.stopping.load(Relaxed) {
            return vec![NotReady::Stopping];
        }
        let NodeStatus { settled, sums_role, .. } = *inner.ownership.status.borrow();
        // Who follows has the last snapshot from the start on, and is behind it by design.
        let sums = |partition| match sums_role {
            SumsRole::Follows => Position::MAX,
            SumsRole::Adds | SumsRole::Keeps => inner.aggregates.read().position(partition),
        };
        let hindrances = &inner.ownership.hindrances;
        let not_settled = (!settled).then(|| NotReady::NotSettled { hindrances: hindrances.tell() });
        inner.readiness.look(&inner.partitions, not_settled, inner.catalogue.is_loaded(), sums)
    }

    /// Why this process cannot go on and is to be started anew; `None`: it can.
    pub fn not_healthy(&self) -> Option<String> {
        self.inner.supervised.exit().borrow().clone()
    }

    /// Whether a partition is this node's to run.
    fn is_here(&self, handle: &PartitionHandle) -> bool {
        handle.owner.get().is_none_or(|owner| owner == self.inner.node)
    }

    /// Waits until everything that is in the log now is folded, committed and learned here; what other
    /// nodes own, as far as they committed it.
    ///
    /// # Errors
    /// The log's.
    pub fn caught_up(&self) -> BoxFuture<'_, Result<(), PortError>> {
        Box::pin(async move {
            for handle in self.inner.partitions.iter() {
                let last = self.inner.ports.log.bounds(handle.partition).await?.last;
                while (self.is_here(handle) && handle.committed.load() < last)
                    || self.inner.aggregates.read().position(handle.partition) < last
                {
                    if handle.folded.load() >= last
                        && let Some(address) = handle.address()
                    {
                        address.do_send(CommitNow);
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
            Ok(())
        })
    }

    /// Hands every partition over: what is folded is committed, other nodes take over. Queries are
    /// answered further on.
    pub fn hand_over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let inner = &self.inner;
            inner.ownership.leave();
            let mut status = inner.ownership.status.clone();
            // Closed: the shell has ended.
            let handed_over = async { status.wait_for(|status| status.gone).await.map(drop) };
            if tokio::time::timeout(STOP_DEADLINE, handed_over).await.is_err() {
                tracing::warn!(
                    "some partitions did not commit in time; their last events are replayed at the next start"
                );
            }
        })
    }

    /// Stops in order: no further events are folded, what is folded is committed, the aggregates
    /// are stored.
    pub fn stop(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let inner = &self.inner;
            if inner.stopping.swap(true, Relaxed) {
                return;
            }
            // Where there are others, one of them keeps the snapshots.
            let is_last = self.node_status().others == 0;
            self.hand_over().await;
            if is_last {
                match tokio::time::timeout(STOP_DEADLINE, inner.aggregates_actor.send(SaveSnapshot)).await {
                    Ok(Ok(Err(error))) => {
                        tracing::warn!(%error, "the aggregates were not stored; the outbox has them")
                    }
                    Ok(_) => {}
                    Err(_) => tracing::warn!("storing the aggregates took too long; the outbox has them"),
                }
            }
            inner.recommender.flush().await;
            inner.supervised.remediations.flush().await;
            inner.catalogue_following.abort();
            inner.event_loops.iter().for_each(EventLoop::stop);
            inner.supervised.workers.stop();
        })
    }
}
