//! Injections: break one thing, and wait until everything works again.

use super::ChaosError;
use super::bed::{Bed, Engine, run_command, signal};
use super::monitor::Monitor;
use super::plan::{FaultKind, FaultPlan, Part, Plan};
use super::proxy::Passage;
use super::publish::{agent, attempt};
use super::workload::{Workload, now_ms};
use crate::dice::Dice;
use std::process::Command;
use std::time::{Duration, Instant};

/// Partitions that a recovery is proven on, at most.
const PROBED: u16 = 8;
/// How long one probe's request may take.
const PROBE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Between two attempts of a probe.
const PROBE_PAUSE: Duration = Duration::from_millis(3);

/// One injection, as it went.
#[derive(Debug, Clone)]
pub struct Injection {
    /// Name of the fault, such as `cut redis`.
    pub label: String,
    /// When, since the start of the run.
    pub at: Duration,
    /// How long the fault itself lasted.
    pub lasted: Duration,
    /// How long until an engine noticed, in milliseconds; `None`: it did not (it may not have needed to).
    pub detect_ms: Option<f64>,
    /// What it noticed.
    pub noticed: Option<String>,
    /// How long until events were taken and seen in live answers again, in milliseconds: from the
    /// injection, or from the end of a fault that lasts; `None`: not within the deadline.
    pub recover_ms: Option<f64>,
}

/// What an injection needs to know.
pub struct Injector<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where.
    pub bed: &'a Bed,
    /// Who hears of it.
    pub monitor: &'a Monitor,
    /// Who remembers events.
    pub workload: &'a Workload,
    /// When the run began.
    pub started: Instant,
}

/// What is left to do when a fault is over.
struct Begun {
    /// The partitions it is about; empty: all.
    partition: Option<u16>,
    /// When recovery counts from, if not from the injection.
    over: Option<Instant>,
}

impl Injector<'_> {
    /// Why this fault cannot be injected here; `None`: it can.
    pub fn obstacle(&self, fault: &FaultPlan) -> Option<String> {
        let by_command =
            self.plan.target.as_ref().is_some_and(|target| target.commands.contains_key(&fault.kind));
        (fault.kind.needs_chaos_routes() && !by_command && !self.bed.chaos_routes).then(|| {
            format!(
                "{}: the engine does not take faults on purpose (no /admin/chaos/...; `chaos.enabled = true` and a version that has it)",
                fault.label()
            )
        })
    }

    /// Breaks one thing, waits until everything works again, and says how it went.
    ///
    /// # Errors
    /// Where the fault itself could not be caused or ended.
    pub fn inject(&self, fault: &FaultPlan, dice: &mut Dice) -> Result<Injection, ChaosError> {
        let (at, at_ms) = (Instant::now(), now_ms());
        let begun = self.break_one(fault, dice)?;
        let lasted = at.elapsed();
        let deadline = Duration::from_millis(self.plan.pace.recovery_deadline_ms);
        let from = begun.over.unwrap_or(at);
        let recovered = self.probe(begun.partition, from + deadline);
        let recover_ms = recovered.map(|when| when.saturating_duration_since(from).as_secs_f64() * 1_000.0);
        // The monitor's look that saw it may still be on its way.
        std::thread::sleep(Duration::from_millis(50));
        let notice = self.monitor.first_between(at_ms, now_ms());
        Ok(Injection {
            label: fault.label(),
            at: at.duration_since(self.started),
            lasted,
            detect_ms: notice.as_ref().map(|notice| (notice.at_ms - at_ms) as f64),
            noticed: notice.map(|notice| notice.what),
            recover_ms,
        })
    }

    fn break_one(&self, fault: &FaultPlan, dice: &mut Dice) -> Result<Begun, ChaosError> {
        let for_time = Duration::from_millis(fault.for_ms);
        if let Some(command) = self.plan.target.as_ref().and_then(|target| target.commands.get(&fault.kind)) {
            run_command(Command::new("sh").args(["-c", command]))?;
            return Ok(Begun { partition: None, over: None });
        }
        let engine = &self.bed.engines[dice.below(self.bed.engines.len())];
        let partition = dice.below(usize::from(self.plan.partitions)) as u16;
        let at_once = Begun { partition: Some(partition), over: None };
        match fault.kind {
            FaultKind::Panic => self.ask_any("panic", &format!(r#"{{"partition":{partition}}}"#))?,
            FaultKind::Hang => {
                let seconds = for_time.as_secs_f64();
                self.ask_any("hang", &format!(r#"{{"partition":{partition},"seconds":{seconds}}}"#))?;
            }
            FaultKind::ReaderStall => {
                self.ask_any("reader-stall", &format!(r#"{{"partition":{partition}}}"#))?
            }
            FaultKind::Poison => {
                self.poison(partition)?;
                return Ok(Begun { partition: Some(partition), over: None });
            }
            FaultKind::NodeKill => {
                engine.kill();
                std::thread::sleep(for_time);
                engine.start()?;
                return Ok(Begun { partition: None, over: None });
            }
            FaultKind::NodeStop => return paused(engine.process_id(), for_time),
            FaultKind::ServerKill | FaultKind::ServerStop | FaultKind::DiskFull => {
                return self.break_server(fault, for_time);
            }
            FaultKind::Latency | FaultKind::Cut | FaultKind::Reset | FaultKind::Bandwidth => {
                return self.break_network(fault, for_time);
            }
        }
        Ok(at_once)
    }

    fn break_server(&self, fault: &FaultPlan, for_time: Duration) -> Result<Begun, ChaosError> {
        let servers = self.bed.servers.as_ref().ok_or_else(|| not_ours(fault))?;
        let part = fault.on.unwrap_or(Part::Nats);
        match fault.kind {
            FaultKind::ServerStop => return paused(servers.process_id(part), for_time),
            FaultKind::DiskFull => {
                let process = servers.process_id(Part::Nats).ok_or_else(|| not_ours(fault))?;
                limit_files(process, "0:unlimited")?;
                std::thread::sleep(for_time);
                limit_files(process, "unlimited:unlimited")?;
                // NATS takes a stream whose files it could not write out of service until it is restarted.
                servers.restart(Part::Nats)?;
            }
            _ => {
                servers.kill(part);
                std::thread::sleep(for_time);
                servers.restart(part)?;
            }
        }
        Ok(Begun { partition: None, over: Some(Instant::now()) })
    }

    fn break_network(&self, fault: &FaultPlan, for_time: Duration) -> Result<Begun, ChaosError> {
        let servers = self.bed.servers.as_ref().ok_or_else(|| not_ours(fault))?;
        let proxy = servers.proxy(fault.on.unwrap_or(Part::Nats));
        match fault.kind {
            FaultKind::Latency => proxy.set_latency_ms(fault.latency_ms),
            FaultKind::Bandwidth => proxy.set_bytes_per_s(fault.bytes_per_s.max(1)),
            FaultKind::Reset => proxy.set_passage(Passage::Reset),
            _ => proxy.set_passage(Passage::Silent),
        }
        std::thread::sleep(for_time);
        proxy.set_latency_ms(0);
        proxy.set_bytes_per_s(0);
        proxy.set_passage(Passage::Open);
        Ok(Begun { partition: None, over: Some(Instant::now()) })
    }

    /// Publishes an event that cannot be folded, and sends it again until the log has acknowledged it. What
    /// is probed afterwards stands behind it: the engine has to step over it. It stays poisonous, as real
    /// ones do.
    fn poison(&self, partition: u16) -> Result<(), ChaosError> {
        let label = self.workload.id_start("bait");
        let body = format!(r#"{{"pattern":"{label}*"}}"#);
        for engine in &self.bed.engines {
            self.ask(engine, "poison", &body).map_err(ChaosError::Engine)?;
        }
        let member = Workload::member_of(partition, self.plan.partitions);
        let agent = agent(PROBE_TIMEOUT);
        let mut left = vec![self.workload.play("bait", &member)];
        let until = Instant::now() + Duration::from_millis(self.plan.pace.recovery_deadline_ms);
        for engine in self.bed.engines.iter().cycle() {
            left = attempt(&agent, &engine.http, self.workload, left);
            if left.is_empty() || Instant::now() > until {
                break;
            }
            std::thread::sleep(PROBE_PAUSE);
        }
        Ok(())
    }

    /// Asks the engines in turn: the one that owns the partition takes it.
    fn ask_any(&self, fault: &str, body: &str) -> Result<(), ChaosError> {
        let mut refused = String::new();
        for _ in 0..200 {
            for engine in &self.bed.engines {
                match self.ask(engine, fault, body) {
                    Ok(()) => return Ok(()),
                    Err(error) => refused = error,
                }
            }
            std::thread::sleep(Duration::from_millis(20));
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

    /// Waits until every probed partition takes an event and shows it in a live answer; when the last one
    /// did.
    fn probe(&self, partition: Option<u16>, deadline: Instant) -> Option<Instant> {
        let partitions = match partition {
            Some(partition) => partition..partition + 1,
            None => 0..self.plan.partitions.min(PROBED),
        };
        std::thread::scope(|scope| {
            let probes: Vec<_> = partitions
                .map(|partition| scope.spawn(move || self.probe_one(partition, deadline)))
                .collect();
            probes
                .into_iter()
                .map(|probe| probe.join().ok().flatten())
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max()
        })
    }

    fn probe_one(&self, partition: u16, deadline: Instant) -> Option<Instant> {
        let agent = agent(PROBE_TIMEOUT);
        let member = Workload::member_of(partition, self.plan.partitions);
        let mut left = vec![self.workload.play("probe", &member)];
        for engine in self.bed.engines.iter().cycle() {
            if !left.is_empty() {
                left = attempt(&agent, &engine.http, self.workload, left);
            }
            if left.is_empty() && self.shows_live(&agent, &engine.http, &member) {
                return Some(Instant::now());
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
}

fn not_ours(fault: &FaultPlan) -> ChaosError {
    ChaosError::Engine(format!("{} needs a server that was started here", fault.label()))
}

fn paused(process: Option<u32>, for_time: Duration) -> Result<Begun, ChaosError> {
    let process =
        process.ok_or_else(|| ChaosError::Engine("the process to pause was not started here".to_owned()))?;
    signal(process, "STOP")?;
    std::thread::sleep(for_time);
    signal(process, "CONT")?;
    Ok(Begun { partition: None, over: Some(Instant::now()) })
}

/// Limits the size that files of a process may grow to.
fn limit_files(process: u32, limit: &str) -> Result<(), ChaosError> {
    run_command(Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--fsize={limit}")]))
}
