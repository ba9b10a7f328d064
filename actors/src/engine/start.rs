//! Starting the engine: what is loaded first, which actors there are, and on which threads they live.

use super::catalogue::{SharedCatalogue, follow_catalogue};
use super::{Engine, Inner};
use crate::aggregates_actor::{AggregatesActor, SharedRole};
use crate::background::{BackgroundThread, give_way};
use crate::event_loop::{EventLoop, Threads};
use crate::facts::DecisionQueue;
use crate::faults::Faults;
use crate::memory::{MeasuredShared, Measuring};
use crate::node::SupervisedNode;
use crate::ownership::Shell;
use crate::partition_handle::PartitionHandle;
use crate::peers;
use crate::presence::Presence;
use crate::readiness::Readiness;
use crate::recommender::{Recommender, Sources};
use crate::remediations::Remediations;
use crate::router::Router;
use crate::settings::EngineSettings;
use crate::solver::{NextChoice, SharedTuning, Solver};
use crate::workers::Workers;
use actix::Addr;
use futures_util::future::LocalBoxFuture;
use nearline_model::control::assignment::NodeId;
use nearline_model::{Aggregates, PartitionId, Position};
use nearline_ports::{PortError, Ports, stored};
use nearline_ranking::tuning::plays_of;
use parking_lot::{Mutex, RwLock};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::task::AbortHandle;

/// Rebuilds that a node may always make per partition within the window of its budget.
const REBUILDS_PER_PARTITION: usize = 4;
/// Time between looks at threads that were left behind.
const SWEEP_INTERVAL: Duration = Duration::from_millis(200);

impl Engine {
    /// Starts the engine; must be called inside an actix system. Aggregates and catalogue are
    /// loaded when it returns; partitions go live one by one ([`Engine::is_ready`]).
    ///
    /// # Errors
    /// The ports', where what is stored cannot be read or does not fit the settings.
    pub fn start(ports: Ports, settings: EngineSettings) -> LocalBoxFuture<'static, Result<Self, PortError>> {
        Box::pin(Self::start_all(ports, settings))
    }

    async fn start_all(ports: Ports, mut settings: EngineSettings) -> Result<Self, PortError> {
        let count = ports.log.partitions();
        allow_rebuilds(&mut settings, count);
        let settings = Arc::new(settings);
        let catalogue = Arc::new(SharedCatalogue::new(settings.only_catalogued));
        let stopping = Arc::new(AtomicBool::new(false));
        let (aggregates, catalogue_following) = load(&ports, &settings, &catalogue).await?;
        stored::check_fold(&ports, &settings.fold).await?;
        let readiness = Arc::new(Readiness::new(log_ends(&ports).await?, committed(&ports).await?));

        let threads = settings.threads;
        let learning = EventLoop::new(threads);
        let sums_role = SharedRole::default();
        let aggregates_actor = learning.start(sums_actor(&aggregates, &ports, &settings, &sums_role));
        let remediations = Remediations::start(ports.remediations.clone(), ports.clock.clone());
        let faults = settings.chaos.then(Arc::<Faults>::default);
        let workers = Workers::start(threads, settings.workers, ports.threads.clone());
        let tuning = SharedTuning::new(ports.store.clone(), sums_role.clone(), snapshot_interval(&settings));
        let presence = Arc::new(Presence::new(settings.lease_ms.max(1)));
        let supervised =
            Arc::new(SupervisedNode::new(workers, remediations.clone(), faults, presence.clone()));
        let partitions = handles(count, &remediations);
        let node = node_id(&settings);
        // On a thread of their own: an actor that blocks its thread does not block who watches it.
        let supervision = EventLoop::new(threads);
        let shell = Shell {
            ports: ports.clone(),
            settings: settings.clone(),
            node: node.clone(),
            partitions: partitions.clone(),
            aggregates_actor: aggregates_actor.clone(),
            aggregates: aggregates.clone(),
            supervision: supervision.clone(),
            supervised: supervised.clone(),
            sums_role,
        };
        let owning = EventLoop::new(threads);
        let ownership = shell.start(&owning);
        let sources = Sources::new(aggregates.clone(), catalogue.clone(), ports.clock.clone());
        let learned = sources.learned.clone();
        learning.spawn(solver(&settings, &sources, (&stopping, &readiness), tuning).run());
        let measured = measure(&aggregates_actor, &sources, &learning, threads);
        supervision.spawn(sweep(supervised.clone()));
        let router = Router::new(node.clone(), partitions.clone(), ports.clone(), &settings, presence);
        peers::serve(ports.membership.clone(), node.clone(), router.clone(), ownership.status.clone());
        let recommender = Arc::new(recommender(&ports, &settings, sources, &learning));
        let event_loops = vec![owning, supervision, learning];
        let inner = Inner {
            ports,
            node,
            ownership,
            partitions,
            router,
            recommender,
            aggregates,
            aggregates_actor,
            catalogue,
            catalogue_following,
            learned,
            event_loops,
            supervised,
            stopping,
            readiness,
            measured,
        };
        let engine = Self { inner: Arc::new(inner) };
        actix_rt::spawn(engine.clone().watch_log());
        Ok(engine)
    }
}

fn snapshot_interval(settings: &EngineSettings) -> Duration {
    Duration::from_millis(settings.snapshot_interval_ms.max(100))
}

/// The actor of the sums.
fn sums_actor(
    aggregates: &Arc<RwLock<Aggregates>>,
    ports: &Ports,
    settings: &EngineSettings,
    role: &SharedRole,
) -> AggregatesActor {
    let interval = snapshot_interval(settings);
    AggregatesActor::new(aggregates.clone(), ports.clone(), settings.threads, interval, role.clone())
}

/// What is known when the engine starts: the stored sums, and the catalogue, which is followed from then on.
async fn load(
    ports: &Ports,
    settings: &EngineSettings,
    catalogue: &Arc<SharedCatalogue>,
) -> Result<(Arc<RwLock<Aggregates>>, AbortHandle), PortError> {
    let patience = Duration::from_millis(settings.catalogue_wait_ms);
    // Both may be large, and neither needs the other.
    let following = follow_catalogue(ports.catalogue.clone(), catalogue.clone(), patience);
    let (stored, followed) =
        tokio::join!(stored::aggregates_snapshot(ports, &settings.aggregates), following);
    let following = followed?;
    match stored {
        Ok(aggregates) => Ok((Arc::new(RwLock::new(aggregates)), following)),
        Err(error) => {
            following.abort();
            Err(error)
        }
    }
}

fn solver(
    settings: &EngineSettings,
    sources: &Sources,
    (stopping, readiness): (&Arc<AtomicBool>, &Arc<Readiness>),
    tuning: SharedTuning,
) -> Solver {
    // What was stored is no growth.
    let plays = plays_of(&sources.aggregates.read());
    Solver {
        aggregates: sources.aggregates.clone(),
        catalogue: sources.catalogue.clone(),
        learned: sources.learned.clone(),
        solved_titles: settings.solved_titles,
        stopping: stopping.clone(),
        readiness: readiness.clone(),
        threads: settings.threads,
        tuning,
        choice: Mutex::new(NextChoice::at_once(plays)),
        background: BackgroundThread::new("nearline-solver", give_way),
    }
}

fn recommender(
    ports: &Ports,
    settings: &EngineSettings,
    sources: Sources,
    learning: &EventLoop,
) -> Recommender {
    let (count, clock, stream) = (ports.log.partitions(), ports.clock.clone(), ports.facts.clone());
    let decisions = DecisionQueue::start(&settings.facts, count, clock, stream, learning);
    let deadline = Duration::from_millis(settings.query_deadline_ms.max(1));
    Recommender::new(sources, settings.answers.clone(), decisions, settings.threads, deadline)
}

/// One stuck thread is one fault, however many partitions have to leave it.
fn allow_rebuilds(settings: &mut EngineSettings, partitions: u16) {
    let budget = &mut settings.remediation.node_rebuilds;
    *budget = (*budget).max(REBUILDS_PER_PARTITION * usize::from(partitions));
}

/// Measures from now on what all partitions share.
fn measure(
    aggregates_actor: &Addr<AggregatesActor>,
    sources: &Sources,
    learning: &EventLoop,
    threads: Threads,
) -> Arc<MeasuredShared> {
    let measured = Arc::<MeasuredShared>::default();
    let measuring = Measuring {
        aggregates_actor: aggregates_actor.clone(),
        catalogue: sources.catalogue.clone(),
        learned: sources.learned.clone(),
        measured: measured.clone(),
        threads,
    };
    learning.spawn(measuring.run());
    measured
}

fn node_id(settings: &EngineSettings) -> NodeId {
    match settings.node.as_str() {
        "" => NodeId::new(format!("node-{:08x}", crate::retry::random() as u32)),
        name => NodeId::new(name),
    }
}

fn handles(count: u16, remediations: &Arc<Remediations>) -> Arc<[Arc<PartitionHandle>]> {
    let handle = |partition| Arc::new(PartitionHandle::new(PartitionId(partition), remediations.clone()));
    (0..count).map(handle).collect()
}

/// The last position of each partition's log.
async fn log_ends(ports: &Ports) -> Result<Vec<Position>, PortError> {
    let mut ends = Vec::with_capacity(usize::from(ports.log.partitions()));
    for partition in 0..ports.log.partitions() {
        ends.push(ports.log.bounds(PartitionId(partition)).await?.last);
    }
    Ok(ends)
}

/// The position up to which each partition's state is committed.
async fn committed(ports: &Ports) -> Result<Vec<Position>, PortError> {
    let partitions = (0..ports.log.partitions()).map(PartitionId);
    futures_util::future::try_join_all(partitions.map(|partition| ports.store.position(partition))).await
}

/// Lets threads go that were left behind and have come back.
async fn sweep(supervised: Arc<SupervisedNode>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        supervised.workers.sweep();
    }
}
