//! The fact stream, in memory.

use crate::simulate::network::{Link, Server};
use crate::simulate::servers::Servers;
use async_trait::async_trait;
use nearline_model::{Fact, FactEntry, MemberFacts};
use nearline_ports::{FactStream, PortError, StreamedFacts};

/// The port.
pub struct SimulatedFacts {
    /// The way to the server.
    pub link: Link<Servers>,
}

#[async_trait]
impl FactStream for SimulatedFacts {
    async fn identity(&self) -> Result<String, PortError> {
        let begun = self.link.call(move |servers| Ok(!servers.facts.entries.is_empty())).await?;
        Ok(if begun { "simulated".to_owned() } else { String::new() })
    }

    async fn put(&self, facts: MemberFacts) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Log)?;
                servers.note(format_args!(
                    "facts {} from {} to {}: {}",
                    facts.partition,
                    facts.after,
                    facts.position,
                    facts.facts.len()
                ));
                servers.facts.entries.push(FactEntry::Members(facts.clone()));
                Ok(())
            })
            .await
    }

    async fn put_decisions(&self, decisions: Vec<Fact>) -> Result<(), PortError> {
        if decisions.is_empty() {
            return Ok(());
        }
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Log)?;
                servers.facts.entries.push(FactEntry::Decisions(decisions.clone()));
                Ok(())
            })
            .await
    }

    async fn last(&self) -> Result<u64, PortError> {
        self.link.call(move |servers| Ok(servers.facts.entries.len() as u64)).await
    }

    async fn read(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
        self.link
            .call(move |servers| {
                let later =
                    (1..).zip(&servers.facts.entries).skip(usize::try_from(after).unwrap_or(usize::MAX));
                let streamed =
                    |(sequence, entry): (u64, &FactEntry)| StreamedFacts { sequence, entry: entry.clone() };
                Ok(later.take(most).map(streamed).collect())
            })
            .await
    }
}
