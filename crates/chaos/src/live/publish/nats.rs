//! Publishers over NATS: many events are on their way before the first is acknowledged, but not more than
//! a bound. The client library waits for good when about 5,000 acknowledgements are outstanding and nobody
//! awaits them: here each is awaited.

use super::{AGAIN, ATTEMPT, CATCH_UP, Ending};
use crate::live::ChaosError;
use crate::live::plan::Load;
use crate::live::workload::{Published, Workload};
use async_nats::HeaderMap;
use async_nats::jetstream;
use futures_util::stream::{FuturesUnordered, StreamExt};
use nearline_audience::dice::Dice;
use std::collections::VecDeque;
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
    load: Load,
    mut dice: Dice,
    ending: Arc<Ending>,
) -> Result<(), ChaosError> {
    let client = async_nats::connect(&url)
        .await
        .map_err(|error| ChaosError::Engine(format!("a publisher does not reach {url}: {error}")))?;
    let stream = jetstream::new(client);
    let pause = Duration::from_secs_f64(1.0 / events_per_s.max(0.1));
    let (mut due, mut tick) = (Instant::now(), Instant::now());
    let mut outstanding = FuturesUnordered::new();
    let mut again: VecDeque<(Instant, Published)> = VecDeque::new();
    loop {
        tokio::select! {
            Some((event, acknowledged)) = outstanding.next(), if !outstanding.is_empty() => {
                let event: Published = event;
                if acknowledged {
                    workload.acknowledge(&event.id);
                } else {
                    again.push_back((Instant::now() + AGAIN, event));
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
                    workload.give_up((outstanding.len() + again.len()) as u64);
                    return Ok(());
                }
                while outstanding.len() < load.nats_outstanding {
                    let event = if again.front().is_some_and(|(at, _)| *at <= now) {
                        again.pop_front().map(|(_, event)| event)
                    } else if !ends && due <= now {
                        due += pause;
                        let is_bad = dice.chance(load.bad_per_mille);
                        Some(if is_bad { workload.bad_event(&mut dice) } else { workload.event(&mut dice) })
                    } else {
                        None
                    };
                    let Some(event) = event else { break };
                    let until = Instant::now() + ATTEMPT;
                    let ack = send(&stream, &event, until).await;
                    outstanding.push(async move {
                        let Some(ack) = ack else { return (event, false) };
                        (event, matches!(timeout_at(until, ack.into_future()).await, Ok(Ok(_))))
                    });
                }
            }
        }
    }
}

/// Hands an event to the client, which takes a bounded number of them while it is not connected.
async fn send(
    stream: &jetstream::Context,
    event: &Published,
    until: Instant,
) -> Option<jetstream::context::PublishAckFuture> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", format!("{}/{}", event.member, event.id).as_str());
    let subject = format!("nearline.events.{}", event.member);
    timeout_at(until, stream.publish_with_headers(subject, headers, event.json.clone().into()))
        .await
        .ok()?
        .ok()
}
