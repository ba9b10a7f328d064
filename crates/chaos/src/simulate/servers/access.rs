//! Who may write what, and what there is room for.

use super::Servers;
use super::registry::unavailable;
use crate::simulate::mutation::Mutation;
use crate::simulate::network::{Caller, Server};
use nearline_ports::PortError;
use std::collections::BTreeSet;

/// What keeps servers from writing.
#[derive(Debug, Default)]
pub struct Access {
    /// Whether the disk of each server is full.
    full: [bool; 2],
    /// Nodes of which the store takes no writes.
    pub banned: BTreeSet<usize>,
    /// Nodes of which the registry takes nothing.
    pub mute: BTreeSet<usize>,
}

impl Access {
    /// The disk of `server` is full, or has room again.
    pub fn set_full(&mut self, server: Server, full: bool) {
        self.full[server as usize] = full;
    }

    /// Whether the disk of `server` is full.
    pub fn is_full(&self, server: Server) -> bool {
        self.full[server as usize]
    }
}

impl Servers {
    /// Whether `server` takes a write of whoever calls.
    ///
    /// # Errors
    /// What the real ones say: no room passes, a missing permission does not.
    pub fn takes_write(&self, server: Server) -> Result<(), PortError> {
        let what = || format!("simulated {}", server.name());
        if self.access.is_full(server) {
            let detail = "No space left on device (os error 28)".to_owned();
            return Err(PortError::Unavailable { what: what(), detail });
        }
        match self.caller {
            Caller::Node(node) if server == Server::Store && self.access.banned.contains(&node) => {
                let what = what();
                Err(PortError::Misconfigured(format!("{what} refuses what Nearline does: NOPERM")))
            }
            _ => Ok(()),
        }
    }

    /// Whether the registry takes what whoever calls says of itself.
    ///
    /// # Errors
    /// Where it may not, the real one does not answer.
    pub fn takes_announcement(&self) -> Result<(), PortError> {
        match self.caller {
            Caller::Node(node) if self.access.mute.contains(&node) => Err(unavailable("no answer")),
            _ => self.takes_write(Server::Log),
        }
    }

    /// [`Self::takes_write`] of an acquisition or a proof, which a planted bug lets through.
    ///
    /// # Errors
    /// As there.
    pub fn takes_claim(&self) -> Result<(), PortError> {
        let is_let_through = self.mutation == Some(Mutation::ProveWithoutWriting);
        if is_let_through && !self.access.is_full(Server::Store) {
            return Ok(());
        }
        self.takes_write(Server::Store)
    }

    /// Whether `server` says that it wrote, though there is no room: a planted bug.
    pub fn forgets_writes(&self, server: Server) -> bool {
        self.mutation == Some(Mutation::AcknowledgeWhenFull) && self.access.is_full(server)
    }
}
