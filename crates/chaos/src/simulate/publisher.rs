//! Publishers: they try again until the log acknowledges, and sometimes send once more, or give up.

use super::network::Caller;
use super::world::{PlannedAt, World};
use nearline_audience::dice::Dice;
use nearline_ports::{EventLog, NewEvent};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

/// Attempts after which a publisher may give up.
const PATIENCE: usize = 5;

/// Publishes one publisher's events; ends when each is acknowledged or given up.
pub async fn publish(world: Rc<World>, publisher: usize, mut dice: Dice) {
    let log = world.ports(Caller::Publisher).log;
    let mut under_way = JoinSet::new();
    let plan = &world.scenario.publishers[publisher];
    let mut at = 0;
    while at < plan.len() {
        let together = dice.within(1, 4) as usize;
        let batch: Vec<PlannedAt> =
            (at..plan.len().min(at + together)).map(|event| (publisher, event)).collect();
        at += batch.len();
        let last = batch.last().map_or(0, |(_, event)| plan[*event].publish_ms);
        sleep_until(world.started + Duration::from_millis(last)).await;
        under_way.spawn_local(deliver(world.clone(), log.clone(), batch, dice.fork(at as u64)));
    }
    while under_way.join_next().await.is_some() {}
}

async fn deliver(world: Rc<World>, log: Arc<dyn EventLog>, mut batch: Vec<PlannedAt>, mut dice: Dice) {
    let mut again = JoinSet::new();
    for attempt in 0.. {
        let events: Vec<NewEvent> =
            batch.iter().map(|planned| world.planned(*planned).event.clone()).collect();
        let outcomes = log.append(events).await;
        let mut left = Vec::new();
        for (planned, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Err(_) => left.push(*planned),
                Ok(appended) => {
                    world.acknowledged.borrow_mut().push((*planned, appended.position));
                    if let Some(after_ms) = world.planned(*planned).again_after_ms {
                        again.spawn_local(once_more(world.clone(), log.clone(), *planned, after_ms));
                    }
                }
            }
        }
        if left.is_empty() || (attempt >= PATIENCE && dice.chance(200)) {
            break;
        }
        batch = left;
        sleep(Duration::from_millis(dice.within(2, 60))).await;
    }
    while again.join_next().await.is_some() {}
}

/// Sends an acknowledged event once more, as one who lost the acknowledgement would.
async fn once_more(world: Rc<World>, log: Arc<dyn EventLog>, planned: PlannedAt, after_ms: u64) {
    sleep(Duration::from_millis(after_ms)).await;
    let _known = log.append(vec![world.planned(planned).event.clone()]).await;
}

/// Puts the catalogue's changes, each at its time, until the catalogue takes it.
async fn put_titles(world: Rc<World>, mut dice: Dice) {
    let catalogue = world.ports(Caller::Publisher).catalogue;
    for (at_ms, title) in &world.scenario.catalogue.changes {
        sleep_until(world.started + Duration::from_millis(*at_ms)).await;
        while catalogue.put(vec![title.clone()]).await.is_err() {
            sleep(Duration::from_millis(dice.within(2, 60))).await;
        }
    }
}

/// Starts all publishers; gives what ends when they have.
pub fn start_all(world: &Rc<World>, dice: &Dice) -> impl Future<Output = bool> + use<> {
    let mut running: Vec<_> = (0..world.scenario.publishers.len())
        .map(|publisher| spawn_local(publish(world.clone(), publisher, dice.fork(publisher as u64))))
        .collect();
    running.push(spawn_local(put_titles(world.clone(), dice.fork(1_000))));
    let deadline = Instant::now() + Duration::from_secs(60);
    async move {
        for publisher in running {
            if tokio::time::timeout_at(deadline, publisher).await.is_err() {
                return false;
            }
        }
        true
    }
}
