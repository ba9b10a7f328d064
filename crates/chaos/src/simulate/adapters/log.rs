//! The log, in memory; duplicates are known within a window.

use crate::simulate::mutation::Mutation;
use crate::simulate::network::Link;
use crate::simulate::servers::Servers;
use crate::simulate::servers::log::LogServer;
use async_trait::async_trait;
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// The simulated log's.
pub const IDENTITY: &str = "simulated";
/// How long a reader waits before it looks again by itself.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// Records that a reopened reader brings again at most.
const BROUGHT_AGAIN: u64 = 5;

/// The port.
pub struct SimulatedLog {
    link: Link<Servers>,
    appended: Vec<Arc<Notify>>,
}

impl SimulatedLog {
    /// A client of the server.
    pub fn new(link: Link<Servers>, server: &LogServer) -> Self {
        Self { link, appended: server.appended.clone() }
    }
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
        IDENTITY
    }

    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        let count = events.len();
        let outcome = self
            .link
            .call(move |servers| {
                let now_ms = servers.now_ms();
                let mut outcomes = Vec::with_capacity(events.len());
                for event in &events {
                    // Refused before, or written and the answer lost: the publisher cannot tell.
                    let (refused, unknown) = (servers.fails(), servers.fails());
                    if refused {
                        outcomes.push(Err(unavailable("refused for now")));
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
        let start = self.link.call(move |servers| Ok(opened_at(servers, partition, after))).await?;
        Ok(Box::new(SimulatedReader {
            link: self.link.clone(),
            partition,
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
        self.link.call(move |servers| Ok(servers.log.at(partition, position))).await
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        self.link
            .call(move |servers| {
                let first = servers.log.records[usize::from(partition.0)].first();
                Ok(LogBounds {
                    first: first.map_or(0, |record| record.position),
                    last: servers.log.last(partition),
                })
            })
            .await
    }
}

/// Where a reader that is to read behind `after` starts.
fn opened_at(servers: &mut Servers, partition: PartitionId, after: Position) -> Position {
    let again = servers.fails();
    let start = match servers.mutation {
        Some(Mutation::ResumeFromAckFloor) => after.max(servers.log.delivered[usize::from(partition.0)]),
        Some(Mutation::LeaveGap) if after > 0 && servers.dice.chance(200) => {
            servers.log.after(partition, after, 1).first().map_or(after, |record| record.position)
        }
        // Harsher than the port promises: what was delivered before comes again.
        _ if again => after.saturating_sub(servers.dice.within(1, BROUGHT_AGAIN)),
        _ => after,
    };
    servers.note(format_args!("reader of {partition} after {after} starts after {start}"));
    start
}

struct SimulatedReader {
    link: Link<Servers>,
    partition: PartitionId,
    after: Position,
    spent: bool,
    appended: Arc<Notify>,
}

#[async_trait]
impl LogReader for SimulatedReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        let (partition, after) = (self.partition, self.after);
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
                    let records = servers.log.after(partition, after, max_records);
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
