//! The registry's server: one order of announcements for everybody.

use nearline_model::control::assignment::NodeId;
use nearline_ports::{Announcement, MembershipEvent, PortError, Question};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// What is said where the registry takes nothing, or does not answer.
pub fn unavailable(detail: &str) -> PortError {
    PortError::Unavailable { what: "simulated registry".to_owned(), detail: detail.to_owned() }
}

/// What the server holds.
#[derive(Default)]
pub struct RegistryServer {
    /// The revision of each key, and what it holds unless its node withdrew.
    keys: BTreeMap<NodeId, (u64, Option<Announcement>)>,
    /// All that was ever written, in order; revisions count it from 1.
    pub events: Vec<MembershipEvent>,
    /// Woken at every write.
    pub news: Arc<Notify>,
    /// Whether it was deleted, and nobody has made it anew.
    is_gone: bool,
    /// How often it was deleted: watches of earlier ones hear nothing.
    pub generation: u64,
    /// Nodes that take questions.
    pub listeners: BTreeMap<NodeId, mpsc::Sender<Question>>,
}

impl RegistryServer {
    /// It is deleted, with all that was written. Who listens to questions goes on listening.
    pub fn lose(&mut self) {
        self.keys.clear();
        self.events.clear();
        self.is_gone = true;
        self.generation += 1;
        self.news.notify_waiters();
    }

    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        !self.is_gone
    }

    /// It is made anew where it is gone; whether it was.
    pub fn restore(&mut self) -> bool {
        std::mem::take(&mut self.is_gone)
    }

    /// Writes a node's key over the revision `over`; `Err`: it has another one.
    pub fn write(
        &mut self,
        node: &NodeId,
        announcement: Option<Announcement>,
        over: u64,
    ) -> Result<u64, u64> {
        let current = self.keys.get(node).map_or(0, |(revision, _)| *revision);
        if current != over {
            return Err(current);
        }
        self.events.push(match &announcement {
            Some(announcement) => MembershipEvent::Announced(announcement.clone()),
            None => MembershipEvent::Withdrawn(node.clone()),
        });
        let revision = self.events.len() as u64;
        self.keys.insert(node.clone(), (revision, announcement));
        self.news.notify_waiters();
        Ok(revision)
    }

    /// The revision of a node's key, and the life that wrote it, unless it withdrew.
    pub fn found(&self, node: &NodeId) -> (u64, Option<u64>) {
        self.keys.get(node).map_or((0, None), |(revision, announcement)| {
            (*revision, announcement.as_ref().map(|announcement| announcement.beat.incarnation))
        })
    }

    /// The last announcement of each node, and the revision behind which what follows is read.
    pub fn last(&self) -> (Vec<MembershipEvent>, usize) {
        let mut last: Vec<_> =
            self.keys.values().filter(|(_, announcement)| announcement.is_some()).collect();
        last.sort_by_key(|(revision, _)| *revision);
        let last = last.into_iter().map(|(revision, _)| self.events[*revision as usize - 1].clone());
        (last.collect(), self.events.len())
    }
}
