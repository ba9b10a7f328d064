//! Dead letters, in memory.

use crate::simulate::mutation::Mutation;
use crate::simulate::network::{Link, Server};
use crate::simulate::servers::Servers;
use async_trait::async_trait;
use nearline_model::Position;
use nearline_ports::{DeadLetter, DeadLetters, PortError, Redrive};

/// The port.
pub struct SimulatedLetters {
    /// The way to the server.
    pub link: Link<Servers>,
}

#[async_trait]
impl DeadLetters for SimulatedLetters {
    async fn put(&self, letters: Vec<DeadLetter>) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Log)?;
                for letter in &letters {
                    servers.note(format_args!(
                        "dead letter {} at {}: {}",
                        letter.partition, letter.position, letter.reason
                    ));
                    if servers.mutation != Some(Mutation::DropDeadLetters) {
                        servers.letters.letters.insert(letter.position, letter.clone());
                    }
                }
                Ok(())
            })
            .await
    }

    async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.link
            .call(move |servers| {
                let later = servers.letters.letters.range(after.next()..);
                Ok(later.take(limit).map(|(_, letter)| letter.clone()).collect())
            })
            .await
    }

    async fn get(&self, position: Position) -> Result<Option<DeadLetter>, PortError> {
        self.link.call(move |servers| Ok(servers.letters.letters.get(&position).cloned())).await
    }

    async fn remove(&self, position: Position) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Log)?;
                servers.letters.letters.remove(&position);
                servers.letters.redrives.remove(&position);
                Ok(())
            })
            .await
    }

    async fn redrive(&self, position: Position) -> Result<Option<Redrive>, PortError> {
        self.link.call(move |servers| Ok(servers.letters.redrives.get(&position).copied())).await
    }

    async fn put_redrive(&self, position: Position, redrive: Redrive) -> Result<(), PortError> {
        self.link
            .call(move |servers| {
                servers.takes_write(Server::Log)?;
                servers.letters.redrives.insert(position, redrive);
                Ok(())
            })
            .await
    }
}
