//! The log, in memory; duplicates are known within a window.

use crate::simulate::mutation::Mutation;
use crate::simulate::network::{Link, Server};
use crate::simulate::servers::Servers;
use crate::simulate::servers::log::{IDENTITY, LogServer, Unreadable};
use async_trait::async_trait;
use nearline_model::identifier::Blocks;
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a reader waits before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Records that a reopened reader brings again at most.
const BROUGHT_AGAIN: u64 = 5;

/// The port.
pub struct SimulatedLog {
    link: Link<Servers>,
    appended: Vec<Arc<Notify>>,
    blocks: Blocks,
    /// Which log was there when it was connected to.
    identity: &'static str,
    proves: bool,
}

impl SimulatedLog {
    /// A client of the server.
    pub fn new(link: Link<Servers>, servers: &Servers) -> Self {
        let server: &LogServer = &servers.log;
        let is_told = servers.mutation != Some(Mutation::HideForeignLog);
        let identity = if is_told { server.identity() } else { IDENTITY };
        Self {
            link,
            appended: server.appended.clone(),
            blocks: server.blocks(),
            identity,
            proves: servers.takes_proofs,
        }
    }
}

/// Whether the log that is there is `identity`.
fn same_log(servers: &Servers, identity: &str) -> Result<(), PortError> {
    let found = servers.log.identity();
    if found == identity || servers.mutation == Some(Mutation::HideForeignLog) {
        return Ok(());
    }
    let detail = format!("it is log {found}, this node follows log {identity}");
    Err(PortError::Damaged { what: "simulated log".to_owned(), detail })
}

fn unreadable(partition: PartitionId, after: Position, why: Unreadable) -> PortError {
    let detail = match why {
        Unreadable::Gone => format!("records of {partition} behind {after} are gone before they were read"),
        Unreadable::Damaged(position) => format!("the record of {partition} at {position} is damaged"),
    };
    PortError::Damaged { what: "simulated log".to_owned(), detail }
}

fn unavailable(detail: &str) -> PortError {
    PortError::Unavailable { what: "simulated log".to_owned(), detail: detail.to_owned() }
}

#[async_trait]
impl EventLog for SimulatedLog {
    fn partitions(&self) -> u16 {
        self.appended.len() as u16
    }

    fn identity(&self) -> &str {
        self.identity
    }

    fn blocks(&self) -> Blocks {
        self.blocks
    }

    async fn prove(&self) -> Result<(), PortError> {
        if !self.proves {
            return Ok(());
        }
        let identity = self.identity;
        self.link.call(move |servers| takes_events(servers, identity)).await
    }

    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        let (count, identity) = (events.len(), self.identity);
        let outcome = self
            .link
            .call(move |servers| {
                takes_events(servers, identity)?;
                let now_ms = servers.now_ms();
                let mut outcomes = Vec::with_capacity(events.len());
                for event in &events {
                    // Refused before, or written and the answer lost: the publisher cannot tell.
                    let (refused, unknown) = (servers.fails(), servers.fails());
                    if refused {
                        outcomes.push(Err(unavailable("refused for now")));
                        continue;
                    }
                    if servers.forgets_writes(Server::Log) {
                        outcomes.push(Ok(servers.log.would_append(event)));
                        continue;
                    }
                    if let Err(error) = servers.takes_write(Server::Log) {
                        outcomes.push(Err(error));
                        continue;
                    }
                    let appended = servers.log.append(event, now_ms);
                    servers.note(format_args!(
                        "append {} {} at {}{}",
                        event.id,
                        appended.partition,
                        appended.position,
                        if appended.duplicate { " (known)" } else { "" }
                    ));
                    outcomes.push(if unknown { Err(unavailable("answer lost")) } else { Ok(appended) });
                }
                Ok(outcomes)
            })
            .await;
        outcome.unwrap_or_else(|error| vec![Err(error); count])
    }

    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        let identity = self.identity;
        let open = move |servers: &mut Servers| {
            same_log(servers, identity)?;
            opened_at(servers, partition, after)
        };
        let start = self.link.call(open).await?;
        Ok(Box::new(SimulatedReader {
            link: self.link.clone(),
            partition,
            identity,
            after: start,
            spent: false,
            appended: self.appended[usize::from(partition.0)].clone(),
        }))
    }

    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        let found = move |servers: &mut Servers| {
            // As the real ones: whoever asks holds it against the fingerprint of what was read.
            let found = servers.log.at(partition, position);
            found.map_err(|why| unreadable(partition, position, why))
        };
        self.link.call(found).await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        let identity = self.identity;
        self.link
            .call(move |servers| {
                same_log(servers, identity)?;
                let bounds = servers.log.bounds(partition);
                let forgets = servers.mutation == Some(Mutation::ForgetEmptiedEnd) && bounds.is_emptied();
                Ok(if forgets { LogBounds::default() } else { bounds })
            })
            .await
    }
}

/// Whether the log is the one that `identity` names: events go to no other.
fn takes_events(servers: &Servers, identity: &str) -> Result<(), PortError> {
    same_log(servers, identity).map_err(|_| unavailable("it is gone, or another one"))
}

/// Where a reader that is to read behind `after` starts.
fn opened_at(servers: &mut Servers, partition: PartitionId, after: Position) -> Result<Position, PortError> {
    let trimmed = servers.log.trimmed(partition);
    if (Position(1)..trimmed).contains(&after) && servers.log.identity() == IDENTITY {
        return Err(unreadable(partition, after, Unreadable::Gone));
    }
    let again = servers.fails();
    let start = match servers.mutation {
        Some(Mutation::ResumeFromAckFloor) => after.max(servers.log.delivered[usize::from(partition.0)]),
        Some(Mutation::LeaveGap) if !after.is_start() && servers.dice.chance(200) => {
            let next = servers.log.after(partition, after, 1, false).unwrap_or_default();
            next.first().map_or(after, |record| record.position)
        }
        // Harsher than the port promises: what was delivered before comes again.
        _ if again => after.back(servers.dice.within(1, BROUGHT_AGAIN)).max(trimmed),
        _ => after,
    };
    servers.note(format_args!("reader of {partition} after {after} starts after {start}"));
    Ok(start)
}

struct SimulatedReader {
    link: Link<Servers>,
    partition: PartitionId,
    identity: &'static str,
    after: Position,
    spent: bool,
    appended: Arc<Notify>,
}

#[async_trait]
impl LogReader for SimulatedReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        let (partition, identity, after) = (self.partition, self.identity, self.after);
        while !self.spent {
            let appended = self.appended.clone();
            let appended = appended.notified();
            tokio::pin!(appended);
            appended.as_mut().enable();
            let fetched = self
                .link
                .call(move |servers| {
                    if servers.fails() {
                        return Err(unavailable("reader lost its connection"));
                    }
                    // A reader of streams that are gone breaks; the next one is told why.
                    takes_events(servers, identity)?;
                    let left_out = servers.mutation == Some(Mutation::LeaveDamagedOut);
                    let records = servers.log.after(partition, after, max_records, left_out);
                    let records = records.map_err(|why| unreadable(partition, after, why))?;
                    if let Some(last) = records.last() {
                        let delivered = &mut servers.log.delivered[usize::from(partition.0)];
                        *delivered = last.position.max(*delivered);
                        servers.note(format_args!("read {partition} {after}..={}", last.position));
                    }
                    Ok(records)
                })
                .await;
            match fetched {
                Err(error) => {
                    self.spent = true;
                    return Err(error);
                }
                Ok(records) => match records.last() {
                    Some(last) => {
                        self.after = last.position;
                        return Ok(records);
                    }
                    None => drop(timeout(LOOK_AGAIN, appended).await),
                },
            }
        }
        Err(unavailable("this reader has failed before"))
    }
}
