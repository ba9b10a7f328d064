//! Proof of recovery: an event is taken, and seen in a live answer.

use super::Injector;
use crate::live::agent::agent;
use crate::live::bed::Engine;
use crate::live::publish::attempt;
use crate::live::workload::Workload;
use std::time::{Duration, Instant};

/// How long one probe's request may take.
pub(super) const PROBE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Between two attempts of a probe, and two looks at who has which partition.
pub(super) const PROBE_PAUSE: Duration = Duration::from_millis(3);
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Partitions that a recovery is proven on, at most.
const PROBED: u16 = 16;

impl Injector<'_> {
    /// Waits until every probed partition takes an event and shows it in a live answer of some engine other
    /// than `except`; when the last one did.
    pub(super) fn probe(
        &self,
        partition: Option<u16>,
        except: Option<&Engine>,
        deadline: Instant,
    ) -> Option<Instant> {
        let partitions = match partition {
            Some(partition) => partition..partition + 1,
            None => 0..self.plan.partitions.min(PROBED),
        };
        std::thread::scope(|scope| {
            let probes: Vec<_> = partitions
                .map(|partition| scope.spawn(move || self.probe_one(partition, except, deadline)))
                .collect();
            let recovered: Option<Vec<_>> =
                probes.into_iter().map(|probe| probe.join().ok().flatten()).collect();
            recovered?.into_iter().max()
        })
    }

    fn probe_one(&self, partition: u16, except: Option<&Engine>, deadline: Instant) -> Option<Instant> {
        let agent = agent(PROBE_TIMEOUT);
        let member = Workload::member_of(partition, self.plan.partitions);
        let mut left = vec![self.workload.play("probe", &member)];
        for number in usize::from(partition).. {
            let engine = self.bed.in_service(number);
            if except.is_none_or(|except| except.name != engine.name) {
                if !left.is_empty() {
                    left = attempt(&agent, &engine.http, self.workload, left);
                }
                if left.is_empty() && self.shows_live(&agent, &engine.http, &member) {
                    return Some(Instant::now());
                }
            }
            if Instant::now() > deadline {
                break;
            }
            std::thread::sleep(PROBE_PAUSE);
        }
        None
    }

    fn shows_live(&self, agent: &ureq::Agent, node: &str, member: &str) -> bool {
        // Published in order: an event published now is behind all that the fault has met.
        let probe = self.workload.play("probe", member);
        let body = format!("{}\n", probe.json);
        let published = agent
            .post(format!("{node}/v1/events"))
            .header("content-type", "application/x-ndjson")
            .send(body.as_bytes());
        let Some(position) = published.ok().and_then(|mut answer| {
            let text = answer.body_mut().read_to_string().ok()?;
            let value: serde_json::Value = serde_json::from_str(&text).ok()?;
            value["results"][0]["position"].as_u64()
        }) else {
            return false;
        };
        self.workload.acknowledge(&probe.id);
        let url = format!("{node}/v1/members/{member}/recommendations?limit=1&after={position}");
        agent.get(url).call().is_ok_and(|mut answer| {
            answer.status() == 200
                && answer.body_mut().read_to_string().is_ok_and(|text| text.contains(r#""source":"live""#))
        })
    }

    /// Waits until every running engine is ready and every partition is live on exactly one; whether that
    /// was so in time. Of somebody else's engines only what clients see is known: they are settled.
    pub(super) fn settle(&self, deadline: Instant) -> bool {
        self.wait_for_places(None, deadline)
    }

    /// The same of all engines but `except`.
    pub(super) fn wait_for_places(&self, except: Option<&Engine>, deadline: Instant) -> bool {
        let all: Vec<u64> = (0..u64::from(self.plan.partitions)).collect();
        loop {
            let engines = self.bed.running().into_iter().filter(|engine| engine.is_ours());
            let mut engines =
                engines.filter(|e| except.is_none_or(|except| except.name != e.name)).peekable();
            if engines.peek().is_none() {
                return except.is_none();
            }
            let live: Option<Vec<Vec<u64>>> = engines.map(Engine::live_partitions).collect();
            let mut live = live.unwrap_or_default().concat();
            live.sort_unstable();
            if live == all {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(LOOK_PAUSE);
        }
    }

    /// Which partitions are live where, in words.
    pub(super) fn places(&self) -> String {
        let place = |engine: &&Engine| match engine.live_partitions() {
            Some(live) => format!("{} {live:?}", engine.name),
            None => format!("{} not ready", engine.name),
        };
        self.bed.running().iter().map(place).collect::<Vec<_>>().join(", ")
    }
}
