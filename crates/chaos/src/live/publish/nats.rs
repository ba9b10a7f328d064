//! Publishers over NATS: many events are on their way before the first is acknowledged, but not more than
//! a bound. The client library waits for good when about 5,000 acknowledgements are outstanding and nobody
//! awaits them: here each is awaited.

use super::{AGAIN, ATTEMPT, CATCH_UP, Ending};
use crate::live::ChaosError;
use crate::live::plan::Plan;
use crate::live::workload::{Published, Workload};
use async_nats::HeaderMap;
use async_nats::jetstream;
use futures_util::stream::{FuturesUnordered, StreamExt};
use nearline_audience::dice::Dice;
use nearline_model::identifier::partition_of;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Between two batches.
const TICK: Duration = Duration::from_millis(5);

/// Publishes over NATS until asked to end, at `events_per_s`; what was not acknowledged is sent again.
///
/// # Errors
/// Where NATS cannot be reached at first.
pub async fn publish_nats(
    url: String,
    workload: Arc<Workload>,
    events_per_s: f64,
    plan: Plan,
    mut dice: Dice,
    ending: Arc<Ending>,
) -> Result<(), ChaosError> {
    let load = &plan.load;
    let client = async_nats::connect(&url)
        .await
        .map_err(|error| ChaosError::Engine(format!("a publisher does not reach {url}: {error}")))?;
    let stream = jetstream::new(client);
    let pause = Duration::from_secs_f64(1.0 / events_per_s.max(0.1));
    let (mut due, mut tick) = (Instant::now(), Instant::now());
    let mut outstanding = FuturesUnordered::new();
    let mut under_way = 0;
    let mut again: VecDeque<(Instant, Message)> = VecDeque::new();
    loop {
        tokio::select! {
            Some((message, acknowledged)) = outstanding.next(), if !outstanding.is_empty() => {
                let message: Message = message;
                under_way -= message.len();
                if acknowledged {
                    message.iter().for_each(|event| workload.acknowledge(&event.id));
                } else {
                    again.push_back((Instant::now() + AGAIN, message));
                }
            }
            () = sleep_until(tick) => {
                let now = Instant::now();
                tick = now + TICK;
                due = due.max(now - CATCH_UP);
                let ends = ending.stop.load(Relaxed);
                if ends && outstanding.is_empty() && again.is_empty() {
                    return Ok(());
                }
                if ending.is_over() {
                    let unsettled = again.iter().map(|(_, message)| message.len()).sum::<usize>();
                    workload.give_up((under_way + unsettled) as u64);
                    return Ok(());
                }
                let mut messages = Vec::new();
                while outstanding.len() + messages.len() < load.nats_outstanding
                    && again.front().is_some_and(|(at, _)| *at <= now)
                {
                    messages.extend(again.pop_front().map(|(_, message)| message));
                }
                let mut events = Vec::new();
                while !ends && due <= now && outstanding.len() + messages.len() + events.len() < load.nats_outstanding {
                    due += pause;
                    let is_bad = dice.chance(load.bad_per_mille);
                    events.push(if is_bad { workload.bad_event(&mut dice) } else { workload.event(&mut dice) });
                }
                messages.extend(messages_of(events, &plan));
                for message in messages {
                    let until = Instant::now() + ATTEMPT;
                    let ack = send(&stream, &message, until).await;
                    under_way += message.len();
                    outstanding.push(async move {
                        let Some(ack) = ack else { return (message, false) };
                        (message, matches!(timeout_at(until, ack.into_future()).await, Ok(Ok(_))))
                    });
                }
            }
        }
    }
}

/// The events of one message: of one partition, and if it is sent again, the same.
type Message = Vec<Published>;

/// Deals events into messages, those of a partition in their order.
fn messages_of(events: Vec<Published>, plan: &Plan) -> Vec<Message> {
    let most = usize::from(plan.block_events);
    let mut messages: Vec<Message> = Vec::new();
    let mut open: HashMap<u16, usize> = HashMap::new();
    for event in events {
        let partition = partition_of(&event.member, plan.partitions).0;
        match open.get(&partition).filter(|at| messages[**at].len() < most) {
            Some(at) => messages[*at].push(event),
            None => {
                open.insert(partition, messages.len());
                messages.push(vec![event]);
            }
        }
    }
    messages
}

/// Hands a message to the client, which takes a bounded number of them while it is not connected.
async fn send(
    stream: &jetstream::Context,
    message: &Message,
    until: Instant,
) -> Option<jetstream::context::PublishAckFuture> {
    let (first, last) = (message.first()?, message.last()?);
    let mut headers = HeaderMap::new();
    let mut id = format!("{}/{}", first.member, first.id);
    if message.len() > 1 {
        id = format!("{id}/{}", last.id);
        headers.insert("Nearline-Events", message.len().to_string().as_str());
    }
    headers.insert("Nats-Msg-Id", id.as_str());
    let lines: Vec<&str> = message.iter().map(|event| &*event.json).collect();
    // Any of its members leads to the partition.
    let subject = format!("nearline.events.{}", first.member);
    timeout_at(until, stream.publish_with_headers(subject, headers, lines.join("\n").into())).await.ok()?.ok()
}
