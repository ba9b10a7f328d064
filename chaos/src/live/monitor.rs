//! The monitor: hears when an engine notices that something is wrong.

use super::publish::agent;
use super::workload::now_ms;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// How often engines are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Longest time that a look may take.
const TIMEOUT: Duration = Duration::from_millis(200);

/// Something that an engine noticed, or that was noticed of it.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// What, in words.
    pub what: String,
}

/// All notices of a run.
#[derive(Debug, Default)]
pub struct Monitor {
    notices: Mutex<Vec<Notice>>,
    /// Whether to go on.
    pub stop: AtomicBool,
}

impl Monitor {
    /// Watches one engine until stopped.
    pub fn watch(&self, admin: &str) {
        let agent = agent(TIMEOUT);
        // `None`: no answer; what is not there is `Null`.
        let fetch = |path: &str| -> Option<Value> {
            let mut answer = agent.get(format!("{admin}{path}")).call().ok()?;
            if answer.status() != 200 {
                return Some(Value::Null);
            }
            serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()
        };
        let mut known: HashMap<u64, (String, u64)> = HashMap::new();
        let mut remediations = HashSet::new();
        let mut reached = true;
        while !self.stop.load(Relaxed) {
            let (partitions, kept) = (fetch("/admin/partitions"), fetch("/admin/remediations?limit=20"));
            let answers = partitions.is_some() && kept.is_some();
            if reached && !answers {
                self.note(now_ms(), format!("{admin} does not answer"));
            }
            reached = answers;
            for status in partitions.iter().filter_map(Value::as_array).flatten() {
                self.compare(&mut known, status);
            }
            // Absent from engines that keep no remediations.
            for remediation in kept.iter().flat_map(entries) {
                let id = remediation["id"].as_str().unwrap_or_default().to_owned();
                if remediations.insert(id) {
                    let what = format!("{}: {}", remediation["fault"], remediation["action"]);
                    self.note(remediation["at_ms"].as_i64().unwrap_or_else(now_ms), what);
                }
            }
            std::thread::sleep(LOOK);
        }
    }

    fn compare(&self, known: &mut HashMap<u64, (String, u64)>, status: &Value) {
        let number = status["partition"].as_u64().unwrap_or_default();
        let state = status["state"].as_str().unwrap_or_default().to_owned();
        let restarts = status["restarts"].as_u64().unwrap_or_default();
        let now = (state, restarts);
        let before = known.insert(number, now.clone());
        if let Some(before) = before
            && (before.1 < now.1 || (before.0 == "live" && now.0 != "live"))
        {
            self.note(now_ms(), format!("partition {number} is {}", now.0));
        }
    }

    fn note(&self, at_ms: i64, what: String) {
        self.notices.lock().push(Notice { at_ms, what });
    }

    /// The first notice from `from_ms` to `to_ms`, Unix milliseconds.
    pub fn first_between(&self, from_ms: i64, to_ms: i64) -> Option<Notice> {
        let notices = self.notices.lock();
        let between = notices.iter().filter(|notice| (from_ms..=to_ms).contains(&notice.at_ms));
        between.min_by_key(|notice| notice.at_ms).cloned()
    }
}

fn entries(value: &Value) -> Vec<Value> {
    let list = value.as_array().or_else(|| value["remediations"].as_array());
    list.cloned().unwrap_or_default()
}
