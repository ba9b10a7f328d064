//! One engine: a process of the program, or somebody else's.

use super::process::signal;
use super::servers::Links;
use crate::live::ChaosError;
use crate::live::agent::agent;
use parking_lot::Mutex;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long an engine may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long an engine may take to stop in order.
const STOP_DEADLINE: Duration = Duration::from_secs(25);
/// How long an operators' request may take.
const ADMIN_TIMEOUT: Duration = Duration::from_millis(500);

/// One engine.
#[derive(Debug)]
pub struct Engine {
    /// Its name among the others.
    pub name: String,
    /// Base URL of its API.
    pub http: String,
    /// Base URL of its operators' listener.
    pub admin: String,
    /// Its connections to the servers, if it was started here.
    pub links: Option<Links>,
    /// Whether clients know of it: from its first start until it leaves for good. One that is killed,
    /// or restarted, stays known.
    pub in_service: Arc<AtomicBool>,
    process: Option<Mutex<EngineProcess>>,
}

#[derive(Debug)]
struct EngineProcess {
    command: Vec<String>,
    output: PathBuf,
    child: Option<Child>,
    /// Whether it was asked to stop: then its end is no surprise.
    leaving: bool,
}

impl Engine {
    /// An engine that somebody else runs.
    pub fn of_others(name: String, http: &str, admin: &str) -> Self {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        Self {
            name,
            http: trimmed(http),
            admin: trimmed(admin),
            links: None,
            in_service: Arc::new(true.into()),
            process: None,
        }
    }

    /// An engine that is run here by `command`, with its log lines going to `output`. Not started yet.
    pub fn of_ours(
        name: String,
        (http, admin): (String, String),
        links: Links,
        command: Vec<String>,
        output: PathBuf,
    ) -> Self {
        let process = EngineProcess { command, output, child: None, leaving: false };
        let in_service = Arc::new(AtomicBool::new(false));
        Self { name, http, admin, links: Some(links), in_service, process: Some(Mutex::new(process)) }
    }

    /// Whether it was started here, and so may be stopped.
    pub fn is_ours(&self) -> bool {
        self.process.is_some()
    }

    /// Starts the process, and waits until it listens.
    ///
    /// # Errors
    /// [`ChaosError::Engine`] with the end of its output.
    pub fn start(&self) -> Result<(), ChaosError> {
        let Some(process) = &self.process else { return Ok(()) };
        self.spawn(&mut process.lock())?;
        let started = Instant::now();
        let agent = agent(ADMIN_TIMEOUT);
        while agent.get(format!("{}/livez", self.admin)).call().is_err() {
            let mut process = process.lock();
            let ended = process.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || started.elapsed() > START_DEADLINE {
                let text = std::fs::read_to_string(&process.output).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(4).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                return Err(ChaosError::Engine(format!(
                    "{} does not listen: {}",
                    self.name,
                    tail.join(" | ")
                )));
            }
            drop(process);
            std::thread::sleep(Duration::from_millis(5));
        }
        self.in_service.store(true, Relaxed);
        Ok(())
    }

    fn spawn(&self, process: &mut EngineProcess) -> Result<(), ChaosError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&process.output)
            .map_err(ChaosError::system("the engine's log"))?;
        let mut command = nearline_servers::command(Path::new(&process.command[0]));
        command
            .args(&process.command[1..])
            // With it, the first panic of a process loads debug symbols for a good third of a second.
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        // Engines end with the harness, also where that is killed: their servers do.
        let child = nearline_servers::spawn(command)
            .map_err(ChaosError::system(format!("starting {}", process.command[0])))?;
        (process.child, process.leaving) = (Some(child), false);
        Ok(())
    }

    /// Its process, if it was started here and runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref()?.lock().child.as_ref().map(Child::id)
    }

    /// Whether a process of it runs, as far as is known, that was not asked to stop.
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_none_or(|process| {
            let process = process.lock();
            process.child.is_some() && !process.leaving
        })
    }

    /// Kills it (SIGKILL).
    pub fn kill(&self) {
        if let Some(mut child) = self.process.as_ref().and_then(|process| process.lock().child.take()) {
            // Both fail only where it has ended already.
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM) without waiting for its end.
    ///
    /// # Errors
    /// Where it cannot be sent a signal.
    pub fn ask_to_stop(&self) -> Result<(), ChaosError> {
        let Some(process) = &self.process else { return Ok(()) };
        let mut process = process.lock();
        let Some(child) = &process.child else { return Ok(()) };
        signal(child.id(), "TERM")?;
        process.leaving = true;
        Ok(())
    }

    /// Asks it to stop, and waits for its end.
    ///
    /// # Errors
    /// [`ChaosError::Engine`] if it does not end in time, or not with 0; it is gone then as well.
    pub fn stop(&self) -> Result<(), ChaosError> {
        self.ask_to_stop()?;
        let Some(process) = &self.process else { return Ok(()) };
        let asked = Instant::now();
        loop {
            let status = match &mut process.lock().child {
                Some(child) => child.try_wait().map_err(ChaosError::system("waiting for an engine"))?,
                None => return Ok(()),
            };
            if status.is_none() && asked.elapsed() < STOP_DEADLINE {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            self.kill();
            return match status {
                Some(status) if status.success() => Ok(()),
                Some(status) => {
                    Err(ChaosError::Engine(format!("{} ended with {status} after SIGTERM", self.name)))
                }
                None => Err(ChaosError::Engine(format!(
                    "{} had not ended {} s after SIGTERM",
                    self.name,
                    STOP_DEADLINE.as_secs()
                ))),
            };
        }
    }

    /// Its status, if it ended though nobody killed it or asked it to stop. Said once.
    pub fn ended_by_itself(&self) -> Option<ExitStatus> {
        let mut process = self.process.as_ref()?.lock();
        if process.leaving {
            return None;
        }
        let status = process.child.as_mut()?.try_wait().ok().flatten()?;
        process.child = None;
        Some(status)
    }

    /// The partitions that are live on it; `None`: it does not answer, or is not ready.
    pub fn live_partitions(&self) -> Option<Vec<u64>> {
        let agent = agent(ADMIN_TIMEOUT);
        let ready = agent.get(format!("{}/readyz", self.admin)).call().ok()?;
        if ready.status() != 200 {
            return None;
        }
        let mut answer = agent.get(format!("{}/admin/partitions", self.admin)).call().ok()?;
        let partitions: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
        let live = partitions.as_array()?.iter().filter(|partition| partition["state"] == "live");
        Some(live.filter_map(|partition| partition["partition"].as_u64()).collect())
    }

    /// Whether it takes faults on purpose.
    pub fn has_chaos_routes(&self) -> bool {
        let cleared = agent(ADMIN_TIMEOUT).delete(format!("{}/admin/chaos/poison", self.admin)).call();
        cleared.is_ok_and(|answer| answer.status() == 200)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}
