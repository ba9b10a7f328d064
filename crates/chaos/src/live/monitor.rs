//! The monitor: hears when an engine notices that something is wrong, and starts an engine again that
//! ended by itself, as whatever started it has to.

use super::agent::agent;
use super::bed::Engine;
use super::workload::now_ms;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How often engines are looked at, and every how many looks at their remediations, which bear a time.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS_PER_REMEDIATIONS: u64 = 5;
/// Longest time that a look may take.
const TIMEOUT: Duration = Duration::from_millis(200);
/// Until an engine that ended by itself is started again.
const AGAIN: Duration = Duration::from_millis(200);

/// Something that an engine noticed, or that was noticed of it.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// The engine.
    pub engine: String,
    /// What, in words.
    pub what: String,
}

/// All notices of a run.
#[derive(Debug, Default)]
pub struct Monitor {
    notices: Mutex<Vec<Notice>>,
    /// Ids of remediations: each engine shows those of all.
    remediations: Mutex<HashSet<String>>,
    exits: Mutex<Vec<String>>,
    /// Whether to end.
    pub stop: AtomicBool,
}

impl Monitor {
    /// Watches one engine until stopped.
    pub fn watch(&self, engine: &Engine) {
        let agent = agent(TIMEOUT);
        // `None`: no answer; what is not there is `Null`.
        let fetch = |path: &str| -> Option<Value> {
            let mut answer = agent.get(format!("{}{path}", engine.admin)).call().ok()?;
            if answer.status() != 200 {
                return Some(Value::Null);
            }
            serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
        };
        let mut known: HashMap<u64, (String, u64)> = HashMap::new();
        let mut reached = false;
        let mut looks = 0_u64;
        while !self.stop.load(Relaxed) {
            std::thread::sleep(LOOK);
            if let Some(status) = engine.ended_by_itself() {
                self.note(engine, now_ms(), format!("ended by itself: {status}"));
                self.exits.lock().push(format!("{} ended by itself: {status}", engine.name));
                std::thread::sleep(AGAIN);
                if let Err(error) = engine.start() {
                    self.exits.lock().push(error.to_string());
                }
            }
            let partitions = fetch("/admin/partitions");
            if reached && partitions.is_none() {
                self.note(engine, now_ms(), "does not answer".to_owned());
                known.clear();
            }
            reached = partitions.is_some();
            for status in partitions.iter().filter_map(Value::as_array).flatten() {
                self.compare(engine, &mut known, status);
            }
            looks += 1;
            if reached && looks.is_multiple_of(LOOKS_PER_REMEDIATIONS) {
                // Absent from engines that keep no remediations.
                fetch("/admin/remediations?limit=20")
                    .iter()
                    .flat_map(entries)
                    .for_each(|r| self.remedied(engine, &r));
            }
        }
    }

    fn remedied(&self, engine: &Engine, remediation: &Value) {
        let id = remediation["id"].as_str().unwrap_or_default().to_owned();
        if self.remediations.lock().insert(id) {
            let text = |field: &str| remediation[field].as_str().unwrap_or_default().to_owned();
            let what = format!("{}: {}", text("fault"), text("action"));
            self.note(engine, remediation["at_ms"].as_i64().unwrap_or_else(now_ms), what);
        }
    }

    fn compare(&self, engine: &Engine, known: &mut HashMap<u64, (String, u64)>, status: &Value) {
        let number = status["partition"].as_u64().unwrap_or_default();
        let state = status["state"].as_str().unwrap_or_default().to_owned();
        let restarts = status["restarts"].as_u64().unwrap_or_default();
        let now = (state, restarts);
        let before = known.insert(number, now.clone());
        let Some(before) = before else { return };
        if before.0 == "elsewhere" && now.0 != "elsewhere" {
            self.note(engine, now_ms(), format!("takes partition {number}"));
        } else if before.1 < now.1 || (before.0 == "live" && now.0 != "live") {
            self.note(engine, now_ms(), format!("partition {number} is {}", now.0));
        }
    }

    fn note(&self, engine: &Engine, at_ms: i64, what: String) {
        self.notices.lock().push(Notice { at_ms, engine: engine.name.clone(), what });
    }

    /// The first notice from `from_ms` to `to_ms`, Unix milliseconds, of an engine other than `except`.
    pub fn first_between(&self, from_ms: i64, to_ms: i64, except: Option<&str>) -> Option<Notice> {
        let notices = self.notices.lock();
        let between = notices.iter().filter(|notice| (from_ms..=to_ms).contains(&notice.at_ms));
        between
            .filter(|notice| except != Some(notice.engine.as_str()))
            .min_by_key(|notice| notice.at_ms)
            .cloned()
    }

    /// Engines that ended by themselves, and how.
    pub fn exits(&self) -> Vec<String> {
        self.exits.lock().clone()
    }
}

fn entries(value: &Value) -> Vec<Value> {
    let list = value.as_array().or_else(|| value["remediations"].as_array());
    list.cloned().unwrap_or_default()
}
