use super::events::{event, publish};
use crate::running::Service;
use nearline_model::{LogRecord, PartitionId, Position};
use nearline_ports::{Appended, EventLog, LogBounds, LogReader, NewEvent, PortError};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// A log whose readers can be held.
struct HeldLog {
    log: Arc<dyn EventLog>,
    held: Arc<AtomicBool>,
}

struct HeldReader {
    reader: Box<dyn LogReader>,
    held: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl LogReader for HeldReader {
    async fn next_batch(&mut self, max_records: usize) -> Result<Vec<LogRecord>, PortError> {
        let batch = self.reader.next_batch(max_records).await?;
        while self.held.load(Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(batch)
    }
}

#[async_trait::async_trait]
impl EventLog for HeldLog {
    fn partitions(&self) -> u16 {
        self.log.partitions()
    }
    async fn append(&self, events: Vec<NewEvent>) -> Vec<Result<Appended, PortError>> {
        self.log.append(events).await
    }
    async fn open_reader(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Box<dyn LogReader>, PortError> {
        let reader = self.log.open_reader(partition, after).await?;
        Ok(Box::new(HeldReader { reader, held: self.held.clone() }))
    }
    fn identity(&self) -> &str {
        self.log.identity()
    }
    async fn record(
        &self,
        partition: PartitionId,
        position: Position,
    ) -> Result<Option<LogRecord>, PortError> {
        self.log.record(partition, position).await
    }
    async fn bounds(&self, partition: PartitionId) -> Result<LogBounds, PortError> {
        self.log.bounds(partition).await
    }
}

#[test]
fn a_position_that_is_on_its_way_is_said_to_be_so_and_is_there_later() {
    let held = Arc::new(AtomicBool::new(false));
    let switch = held.clone();
    let service = Service::start_with(
        |_| {},
        move |mut ports| {
            ports.log = Arc::new(HeldLog { log: ports.log.clone(), held: switch });
            ports
        },
    );
    held.store(true, Relaxed);
    let position = publish(&service, &[event("e-1", "play", "ana", "heist", 1)]);
    let path = format!("/v1/members/ana?after={position}");
    let reply = service.get(&path);
    assert_eq!((reply.status, reply.header("retry-after")), (503, "1"), "{}", reply.text);
    let problem = reply.json();
    assert_eq!(problem["type"], "/problems/position-not-reached");
    assert_eq!((&problem["position"], &problem["wanted"]), (&json!(0), &json!(position)));
    held.store(false, Relaxed);
    service.until("the position is reached", || (service.get(&path).status == 200).then_some(()));
}
