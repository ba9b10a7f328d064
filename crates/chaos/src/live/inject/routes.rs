//! Faults that an engine does to itself, through its routes for them.

use super::probe::{PROBE_PAUSE, PROBE_TIMEOUT};
use super::{Broken, Injector};
use crate::live::ChaosError;
use crate::live::agent::agent;
use crate::live::bed::Engine;
use crate::live::plan::FaultPlan;
use crate::live::publish::attempt;
use crate::live::workload::Workload;
use std::time::{Duration, Instant};

/// Rounds in which an engine that owns the partition is looked for.
const ROUNDS: usize = 200;
const ROUND: Duration = Duration::from_millis(20);

impl<'a> Injector<'a> {
    pub(super) fn panic(&self, partition: u16) -> Result<Broken<'a>, ChaosError> {
        self.ask_owner(partition, "panic", &format!(r#"{{"partition":{partition}}}"#))?;
        Ok(Broken::at_once(Some(partition)))
    }

    pub(super) fn hang(&self, partition: u16, fault: &FaultPlan) -> Result<Broken<'a>, ChaosError> {
        let seconds = fault.for_ms as f64 / 1_000.0;
        self.ask_owner(partition, "hang", &format!(r#"{{"partition":{partition},"seconds":{seconds}}}"#))?;
        Ok(Broken::at_once(Some(partition)))
    }

    pub(super) fn stall_reader(&self, partition: u16) -> Result<Broken<'a>, ChaosError> {
        self.ask_owner(partition, "reader-stall", &format!(r#"{{"partition":{partition}}}"#))?;
        Ok(Broken::at_once(Some(partition)))
    }

    /// Publishes an event that cannot be folded, and sends it again until the log has acknowledged it. What
    /// is probed afterwards stands behind it: the engine has to step over it. It stays poisonous, as real
    /// ones do, on whatever engine folds it.
    pub(super) fn poison(&self, partition: u16) -> Result<Broken<'a>, ChaosError> {
        let label = self.workload.id_start("bait");
        let body = format!(r#"{{"pattern":"{label}*"}}"#);
        for engine in self.bed.running() {
            self.ask(engine, "poison", &body).map_err(ChaosError::Engine)?;
        }
        let member = Workload::member_of(partition, self.plan.partitions);
        let agent = agent(PROBE_TIMEOUT);
        let mut left = vec![self.workload.play("bait", &member)];
        let until = self.deadline();
        for number in 0.. {
            left = attempt(&agent, &self.bed.in_service(number).http, self.workload, left);
            if left.is_empty() || Instant::now() > until {
                break;
            }
            std::thread::sleep(PROBE_PAUSE);
        }
        Ok(Broken::at_once(Some(partition)))
    }

    /// Asks the engine on which the partition is live; of somebody else's engines, each in turn.
    fn ask_owner(&self, partition: u16, fault: &str, body: &str) -> Result<(), ChaosError> {
        let mut refused = format!("partition {partition} is live nowhere");
        for _ in 0..ROUNDS {
            for engine in self.bed.running() {
                let live = engine.live_partitions().unwrap_or_default();
                if engine.is_ours() && !live.contains(&u64::from(partition)) {
                    continue;
                }
                match self.ask(engine, fault, body) {
                    Ok(()) => return Ok(()),
                    Err(error) => refused = error,
                }
            }
            std::thread::sleep(ROUND);
        }
        Err(ChaosError::Engine(refused))
    }

    fn ask(&self, engine: &Engine, fault: &str, body: &str) -> Result<(), String> {
        let url = format!("{}/admin/chaos/{fault}", engine.admin);
        let sent =
            agent(PROBE_TIMEOUT).post(&url).header("content-type", "application/json").send(body.as_bytes());
        match sent {
            Ok(answer) if answer.status() == 202 => Ok(()),
            Ok(mut answer) => {
                let text = answer.body_mut().read_to_string().unwrap_or_default();
                Err(format!("POST {url} was answered with {}: {text}", answer.status()))
            }
            Err(error) => Err(format!("POST {url}: {error}")),
        }
    }
}
