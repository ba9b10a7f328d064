//! The log and the stream of facts of a running engine, read over its operators' listener: what an archiver needs where the
//! embedded directory is held by the program that serves it. Nothing is written this way.

mod request;

use async_trait::async_trait;
use bytes::Bytes;
use nearline_model::identifier::Blocks;
use nearline_model::{LogRecord, MemberFacts, PartitionId, Position};
use nearline_ports::page::{self, Holdings};
use nearline_ports::{
    Appended, EventLog, FactStream, LogBounds, LogReader, NewEvent, PortError, StreamedFacts,
};
use parking_lot::Mutex;
use request::Requests;
use std::collections::VecDeque;
use std::time::Duration;

/// Records asked for at a time.
const PAGE_RECORDS: usize = 10_000;
/// How long a reader waits before it asks again whether there is more.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The log of a running engine.
#[derive(Debug, Clone)]
pub struct RunningLog {
    requests: Requests,
    log: String,
    blocks: Blocks,
    partitions: u16,
}

/// The stream of facts of a running engine.
#[derive(Debug)]
pub struct RunningFacts {
    requests: Requests,
    /// The stream's identity, once it was asked for; empty before.
    stream: Mutex<String>,
}

/// Connects to an operators' listener, such as `http://127.0.0.1:7701`, with a key of the scope `admin` where one is asked
/// for.
///
/// # Errors
/// [`PortError::Misconfigured`] if it is no URL of an operators' listener, or the key is refused;
/// [`PortError::Unavailable`] if nobody answers.
pub async fn connect(url: &str, key: Option<&str>) -> Result<(RunningLog, RunningFacts), PortError> {
    let requests = Requests::to(url, key)?;
    let holdings = holdings(&requests).await?;
    let partitions = u16::try_from(holdings.partitions.len())
        .map_err(|_| requests.strange(format!("it tells of {} partitions", holdings.partitions.len())))?;
    let blocks = Blocks::of(holdings.block);
    let log = RunningLog { requests: requests.clone(), log: holdings.log, blocks, partitions };
    Ok((log, RunningFacts { requests, stream: Mutex::default() }))
}

async fn holdings(requests: &Requests) -> Result<Holdings, PortError> {
    let answer = requests.get("/admin/log".to_owned()).await?;
    serde_json::from_slice(&answer).map_err(|error| requests.strange(error.to_string()))
}

impl RunningLog {
    async fn page(&self, path: String) -> Result<Vec<LogRecord>, PortError> {
        let page = Bytes::from(self.requests.get(path).await?);
        page::decode_records(&page).map_err(|error| self.requests.strange(error.to_string()))
    }
}

#[async_trait]
impl EventLog for RunningLog {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn identity(&self) -> &str {
        &self.log
    }

    fn blocks(&self) -> Blocks {
        self.blocks
    }

    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        let refused = || Err(self.requests.only_read());
        events.iter().map(|_| refused()).collect()
    }

    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        Ok(Box::new(RunningReader { log: self.clone(), partition, after, held: VecDeque::new() }))
    }

    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        let path = format!("/admin/log/{}/{position}?log={}", partition.0, self.log);
        Ok(self.page(path).await?.pop())
    }

    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        let found = holdings(&self.requests).await?;
        if found.log != self.log {
            return Err(self.requests.other_log(&self.log, &found.log));
        }
        let bounds = found.partitions.get(usize::from(partition.0));
        let (first, last) = *bounds.ok_or_else(|| self.requests.strange(format!("it has no {partition}")))?;
        Ok(LogBounds { first, last })
    }
}

struct RunningReader {
    log: RunningLog,
    partition: PartitionId,
    after: Position,
    held: VecDeque<LogRecord>,
}

#[async_trait]
impl LogReader for RunningReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        while self.held.is_empty() {
            let (partition, after, log) = (self.partition.0, self.after, &self.log.log);
            let path = format!("/admin/log/{partition}?log={log}&after={after}&limit={PAGE_RECORDS}");
            self.held = self.log.page(path).await?.into();
            match self.held.back() {
                Some(last) => self.after = last.position,
                None => tokio::time::sleep(ASK_AGAIN).await,
            }
        }
        let taken = self.held.len().min(max_records.max(1));
        Ok(self.held.drain(..taken).collect())
    }
}

#[async_trait]
impl FactStream for RunningFacts {
    async fn identity(&self) -> Result<String, PortError> {
        let found = holdings(&self.requests).await?.facts;
        self.stream.lock().clone_from(&found);
        Ok(found)
    }

    async fn put(&self, _facts: MemberFacts) -> Result<(), PortError> {
        Err(self.requests.only_read())
    }

    async fn put_decisions(&self, _decisions: Vec<nearline_model::Fact>) -> Result<(), PortError> {
        Err(self.requests.only_read())
    }

    async fn last(&self) -> Result<u64, PortError> {
        Ok(holdings(&self.requests).await?.last_fact)
    }

    async fn read(&self, after: u64, most: usize) -> Result<Vec<StreamedFacts>, PortError> {
        let stream = match self.stream.lock().as_str() {
            "" => String::new(),
            stream => format!("&stream={stream}"),
        };
        let path = format!("/admin/facts?after={after}&limit={}{stream}", most.clamp(1, 64));
        let page = self.requests.get(path).await?;
        page::decode_facts(&page).map_err(|error| self.requests.strange(error.to_string()))
    }
}
