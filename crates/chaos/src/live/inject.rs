//! Injections: break one thing, wait until everything works again, and until nothing moves any more.

mod engines;
mod probe;
mod routes;
mod servers;

use super::ChaosError;
use super::bed::{Bed, Engine, run_command};
use super::monitor::Monitor;
use super::plan::{FaultKind, FaultPlan, Plan};
use super::prober::Prober;
use super::workload::{Workload, now_ms};
use nearline_audience::dice::Dice;
use serde::{Serialize, Serializer};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long the monitor's look that saw it may still be on its way.
const LAST_LOOK: Duration = Duration::from_millis(150);

/// One injection, as it went.
#[derive(Debug, Clone, Serialize)]
pub struct Injection {
    /// Name of the fault, such as `cut redis`.
    #[serde(rename = "fault")]
    pub label: String,
    /// When, since the start of the run.
    #[serde(rename = "at_s", serialize_with = "seconds")]
    pub at: Duration,
    /// How long the fault itself lasted.
    #[serde(rename = "lasted_s", serialize_with = "seconds")]
    pub lasted: Duration,
    /// When everything was as before: over, recovered, every partition at its place.
    #[serde(rename = "settled_s", serialize_with = "seconds")]
    pub settled: Duration,
    /// How long until an engine noticed, in milliseconds; `None`: it did not (it may not have needed to).
    pub detect_ms: Option<f64>,
    /// What it noticed.
    pub noticed: Option<String>,
    /// How long until events were taken and seen in live answers again, in milliseconds: from the
    /// injection, or from the end of a fault that lasts; `None`: not within the deadline.
    pub recover_ms: Option<f64>,
    /// The longest time without a live answer of each partition, in milliseconds.
    pub gaps_ms: Vec<f64>,
    /// What else was not as it should be.
    pub trouble: Option<String>,
}

impl Injection {
    /// The longest time that any partition gave no live answer, in milliseconds.
    pub fn gap_ms(&self) -> f64 {
        self.gaps_ms.iter().copied().fold(0.0, f64::max)
    }

    /// How it went, in a line.
    pub fn line(&self) -> String {
        let recovered = match self.recover_ms {
            Some(recover_ms) => format!("recovered after {recover_ms:.0} ms"),
            None => "NOT RECOVERED".to_owned(),
        };
        let noticed = self.noticed.as_deref().unwrap_or("nothing noticed");
        let trouble = self.trouble.as_ref().map_or(String::new(), |trouble| format!("; TROUBLE: {trouble}"));
        format!("{}: {noticed}; {recovered}, gap {:.0} ms{trouble}", self.label, self.gap_ms())
    }
}

/// What an injection needs to know.
pub struct Injector<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Where.
    pub bed: &'a Bed,
    /// Who hears of it.
    pub monitor: &'a Monitor,
    /// Who measures gaps.
    pub prober: &'a Prober,
    /// Who remembers events.
    pub workload: &'a Workload,
    /// When the run began.
    pub started: Instant,
}

/// A fault that is over.
struct Broken<'a> {
    /// The partition it was about; `None`: all.
    partition: Option<u16>,
    /// When recovery counts from, if not from the injection.
    over: Option<Instant>,
    /// The engine that was absent.
    absent: Option<&'a Engine>,
    /// When everything worked again, if that was seen already.
    recovered: Option<Instant>,
    trouble: Option<String>,
}

impl Broken<'_> {
    /// Recovery counts from the injection.
    fn at_once(partition: Option<u16>) -> Self {
        Self { partition, over: None, absent: None, recovered: None, trouble: None }
    }

    /// Recovery counts from now.
    fn over_now() -> Self {
        Self { over: Some(Instant::now()), ..Self::at_once(None) }
    }
}

/// To hundredths, which is finer than anything is measured.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1_000.0).round() / 1_000.0)
}

impl<'a> Injector<'a> {
    /// Why this fault cannot be injected here; `None`: it can.
    pub fn obstacle(&self, fault: &FaultPlan) -> Option<String> {
        (fault.kind.needs_chaos_routes() && !self.is_by_command(fault) && !self.bed.chaos_routes).then(|| {
            format!(
                "{}: the engine does not take faults on purpose (no /admin/chaos/...; `chaos.enabled = true` and a version that has it)",
                fault.label()
            )
        })
    }

    fn is_by_command(&self, fault: &FaultPlan) -> bool {
        self.plan.target.as_ref().is_some_and(|target| target.commands.contains_key(&fault.kind))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.plan.pace.recovery_deadline_ms)
    }

    /// Breaks one thing, waits until everything works again, and says how it went.
    ///
    /// # Errors
    /// Where the fault itself could not be caused or ended.
    pub fn inject(&self, fault: &FaultPlan, dice: &mut Dice) -> Result<Injection, ChaosError> {
        let (at, at_ms) = (Instant::now(), now_ms());
        let broken = self.break_one(fault, dice)?;
        let lasted = at.elapsed();
        let from = broken.over.unwrap_or(at);
        let recovered = broken.recovered.or_else(|| self.probe(broken.partition, None, self.deadline()));
        let mut trouble = broken.trouble;
        if recovered.is_some() && !self.settle(self.deadline()) {
            trouble =
                trouble.or_else(|| Some(format!("not every partition is live once: {}", self.places())));
        }
        let (settled, settled_ms) = (self.started.elapsed(), now_ms());
        std::thread::sleep(LAST_LOOK);
        let others = self.bed.engines.len() > 1;
        let except = broken.absent.filter(|_| others).map(|engine| engine.name.as_str());
        let notice = self.monitor.first_between(at_ms, settled_ms, except);
        let at = at.duration_since(self.started);
        let gaps = self.prober.longest_gaps(at, settled);
        Ok(Injection {
            label: fault.label(),
            at,
            lasted,
            settled,
            detect_ms: notice.as_ref().map(|notice| (notice.at_ms - at_ms) as f64),
            noticed: notice.map(|notice| format!("{} {}", notice.engine, notice.what)),
            recover_ms: recovered.map(|when| milliseconds(when.saturating_duration_since(from))),
            gaps_ms: gaps.into_iter().map(milliseconds).collect(),
            trouble,
        })
    }

    fn break_one(&self, fault: &FaultPlan, dice: &mut Dice) -> Result<Broken<'a>, ChaosError> {
        if let Some(command) = self.plan.target.as_ref().and_then(|target| target.commands.get(&fault.kind)) {
            run_command(Command::new("sh").args(["-c", command]))?;
            return Ok(Broken::at_once(None));
        }
        let running = self.bed.running();
        let engine = *running
            .get(dice.below(running.len()))
            .ok_or_else(|| ChaosError::Engine("no engine runs".into()))?;
        let partition = dice.below(usize::from(self.plan.partitions)) as u16;
        match fault.kind {
            FaultKind::Panic => self.panic(partition),
            FaultKind::Hang => self.hang(partition, fault),
            FaultKind::ReaderStall => self.stall_reader(partition),
            FaultKind::Poison => self.poison(partition),
            FaultKind::NodeKill => self.kill_engine(engine, fault),
            FaultKind::NodeTerm => self.stop_engine(engine, fault),
            FaultKind::NodeStop => self.pause_engine(engine, fault),
            FaultKind::NodeJoin => self.join_engine(fault),
            FaultKind::RollingRestart => self.restart_all(),
            FaultKind::ServerKill | FaultKind::ServerStop | FaultKind::DiskFull => self.break_server(fault),
            FaultKind::Latency | FaultKind::Cut | FaultKind::Reset | FaultKind::Bandwidth => {
                self.break_network(fault, engine)
            }
        }
    }
}
