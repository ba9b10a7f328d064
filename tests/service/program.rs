//! `nearline serve` on the embedded backend as a process, for what only the end of a process shows.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a condition may take to come true.
const DEADLINE: Duration = Duration::from_secs(60);
/// What it is configured to stop within.
pub const SHUTDOWN_SECONDS: u64 = 4;

/// `nearline serve` as a process of its own; dropping it kills it.
pub struct Program {
    process: Child,
    pub http: String,
    pub admin: String,
    said: Arc<Mutex<Vec<String>>>,
    agent: ureq::Agent,
}

impl Program {
    /// Starts in a directory below `disk`.
    pub fn start(disk: &Path, commit_interval_ms: u32) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .arg("serve")
            .env("NEARLINE__ENGINE__COMMIT_INTERVAL_MS", commit_interval_ms.to_string())
            .env("NEARLINE__EMBEDDED__DIRECTORY", disk.join("data"))
            .env("NEARLINE__ENGINE__PARTITIONS", "4")
            .env("NEARLINE__HTTP__ADDRESS", "127.0.0.1:0")
            .env("NEARLINE__ADMIN__ADDRESS", "127.0.0.1:0")
            .env("NEARLINE__HTTP__SHUTDOWN_SECONDS", SHUTDOWN_SECONDS.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut address = || {
            let line = lines.next().expect("a line").expect("text");
            line.split_whitespace().nth(1).expect("an address").to_owned()
        };
        let (http, admin) = (address(), address());
        let said = Arc::new(Mutex::new(Vec::new()));
        let (errors, into) = (BufReader::new(process.stderr.take().expect("piped")), said.clone());
        std::thread::spawn(move || {
            errors
                .lines()
                .map_while(Result::ok)
                .for_each(|line| into.lock().expect("not poisoned").push(line));
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .build()
            .into();
        Self { process, http, admin, said, agent }
    }

    /// Publishes a play of a large event; whether it was acknowledged.
    pub fn publish(&self, number: u64) -> bool {
        self.publish_noted(number, &"x".repeat(20_000))
    }

    /// The same with a field that nobody knows. A node that is behind with its answers, on a busy machine, is asked again, under
    /// the same id.
    pub fn publish_noted(&self, number: u64, note: &str) -> bool {
        let event = format!(
            r#"{{"id":"e{number}","type":"play","member":"m{}","title":"t1","at":"2026-03-01T20:15:00Z","note":"{note}"}}"#,
            number % 1_000
        );
        let publish = || {
            let request = self.agent.post(format!("{}/v1/events", self.http));
            request
                .content_type("application/json")
                .send(event.as_str())
                .map_or(0, |answer| answer.status().as_u16())
        };
        self.until("the node is not behind", || Some(publish()).filter(|status| *status != 429)) == 200
    }

    pub fn get(&self, base: &str, path: &str) -> Option<(u16, Value)> {
        let mut answer = self.agent.get(format!("{base}{path}")).call().ok()?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    pub fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = condition() {
                return found;
            }
            assert!(started.elapsed() < DEADLINE, "waited in vain until {what}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn until_ready(&self) {
        self.until("it is ready", || self.get(&self.admin, "/readyz").filter(|(status, _)| *status == 200));
    }

    /// What it wrote to its log.
    pub fn said(&self) -> String {
        self.said.lock().expect("not poisoned").join("\n")
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// Sends SIGTERM; how long it took to end.
    pub fn terminate(&mut self) -> Duration {
        let asked = Instant::now();
        self.signal("TERM");
        loop {
            if self.process.try_wait().expect("waited for").is_some() {
                return asked.elapsed();
            }
            assert!(asked.elapsed() < DEADLINE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails only where it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
