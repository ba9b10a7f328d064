//! The adapters: the ports, over links to the servers.

pub mod catalogue;
pub mod facts;
pub mod letters;
pub mod log;
pub mod quarantine;
pub mod registry;
pub mod store;

use super::network::{Link, Server};
use super::servers::Servers;
use catalogue::SimulatedCatalogue;
use facts::SimulatedFacts;
use letters::SimulatedLetters;
use log::SimulatedLog;
use nearline_ports::{Ports, UnknownThreads};
use quarantine::{NoJournal, SimulatedQuarantine};
use registry::SimulatedMembership;
use std::sync::Arc;
use store::SimulatedStore;

/// Ports to servers, over links that `link` gives.
pub fn connect(servers: &Servers, link: impl Fn(Server) -> Link<Servers>) -> Ports {
    Ports {
        clock: Arc::new(servers.clock()),
        threads: Arc::new(UnknownThreads),
        event_requests: None,
        log: Arc::new(SimulatedLog::new(link(Server::Log), servers)),
        store: Arc::new(SimulatedStore::new(link(Server::Store), servers.takes_proofs)),
        dead_letters: Arc::new(SimulatedLetters { link: link(Server::Log) }),
        facts: Arc::new(SimulatedFacts { link: link(Server::Log) }),
        catalogue: Arc::new(SimulatedCatalogue::new(link(Server::Log), &servers.catalogue)),
        quarantine: Arc::new(SimulatedQuarantine { link: link(Server::Store) }),
        remediations: Arc::new(NoJournal),
        membership: Arc::new(SimulatedMembership::new(link(Server::Log), &servers.registry)),
    }
}
