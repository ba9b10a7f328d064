//! The servers: what they hold together, beside the auditor that watches them.

pub mod access;
pub mod catalogue;
pub mod facts;
pub mod letters;
pub mod log;
pub mod registry;
pub mod store;

use super::auditor::Auditor;
use super::mutation::Mutation;
use super::network::{Called, Caller};
use super::scenario::{START_MS, Scenario};
use super::trace::Trace;
use access::Access;
use catalogue::CatalogueServer;
use facts::FactServer;
use letters::LetterServer;
use log::LogServer;
use nearline_audience::dice::Dice;
use nearline_model::identifier::Blocks;
use nearline_ports::Clock;
use parking_lot::Mutex;
use registry::RegistryServer;
use std::sync::Arc;
use store::StoreServer;

/// All servers of a world.
pub struct Servers {
    /// The log.
    pub log: LogServer,
    /// The store.
    pub store: StoreServer,
    /// The dead letters.
    pub letters: LetterServer,
    /// The facts.
    pub facts: FactServer,
    /// The catalogue.
    pub catalogue: CatalogueServer,
    /// The nodes.
    pub registry: RegistryServer,
    /// Who may write.
    pub access: Access,
    /// Whether nodes prove that they can work.
    pub takes_proofs: bool,
    /// Checks each step.
    pub auditor: Auditor,
    /// The planted bug, if there is one.
    pub mutation: Option<Mutation>,
    /// Chance of the servers' own faults, in a thousand.
    pub fault_per_mille: u64,
    /// Unix milliseconds at which the log's clock began.
    pub start_ms: i64,
    /// Whose call is being carried out.
    pub caller: Caller,
    /// What decides on them.
    pub dice: Dice,
    trace: Arc<Mutex<Trace>>,
}

impl Servers {
    /// Empty servers.
    pub fn new(
        scenario: &Scenario,
        mutation: Option<Mutation>,
        trace: Arc<Mutex<Trace>>,
        dice: Dice,
    ) -> Self {
        Self {
            log: LogServer::new(
                scenario.partitions,
                Blocks::of(scenario.block_records),
                scenario.duplicate_window_ms,
            ),
            store: StoreServer::new(scenario.partitions),
            letters: LetterServer::default(),
            facts: FactServer::default(),
            catalogue: CatalogueServer::default(),
            registry: RegistryServer::default(),
            access: Access::default(),
            takes_proofs: scenario.needs_proofs,
            auditor: Auditor::new(scenario.partitions, scenario.fold()),
            mutation,
            fault_per_mille: scenario.server_fault_per_mille,
            start_ms: START_MS,
            caller: Caller::Publisher,
            dice,
            trace,
        }
    }

    /// Whether a server's own fault happens now.
    pub fn fails(&mut self) -> bool {
        self.dice.chance(self.fault_per_mille)
    }

    /// The log's clock: Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.start_ms + self.trace.lock().now_ms() as i64
    }

    /// The log's clock, for whoever else needs the time of day: there is no other in a world.
    pub fn clock(&self) -> SimulatedClock {
        SimulatedClock { start_ms: self.start_ms, trace: self.trace.clone() }
    }

    /// Notes a step of the caller's.
    pub fn note(&self, step: std::fmt::Arguments<'_>) {
        self.trace.lock().note(format_args!("{}: {step}", self.caller));
    }
}

impl Called for Servers {
    fn called_by(&mut self, caller: Caller) {
        self.caller = caller;
    }
}

/// The time of day in a world.
pub struct SimulatedClock {
    start_ms: i64,
    trace: Arc<Mutex<Trace>>,
}

impl Clock for SimulatedClock {
    fn now_ms(&self) -> i64 {
        self.start_ms + self.trace.lock().now_ms() as i64
    }
}
