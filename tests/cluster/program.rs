//! The program in a process of its own.

use crate::bed::{DEADLINE, PARTITIONS};
use nearline_ports::NewEvent;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The program, running; killed when dropped.
pub struct Program {
    child: Child,
    http: String,
    admin: String,
}

impl Program {
    /// Starts it on free ports, and waits until it listens.
    pub fn start(directory: &Path, backend: &str) -> Self {
        let free = || nearline_servers::free_address().expect("a free port");
        let (http, admin) = (free(), free());
        let config = directory.join("nearline.toml");
        let text = format!(
            "[engine]\npartitions = {PARTITIONS}\nsnapshot_interval_ms = 500\n\
             [http]\naddress = \"{http}\"\n[admin]\naddress = \"{admin}\"\n{backend}"
        );
        std::fs::write(&config, text).expect("the configuration is written");
        let child = Command::new(env!("CARGO_BIN_EXE_nearline"))
            .args(["serve", "--config"])
            .arg(&config)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        let program = Self { child, http: format!("http://{http}"), admin: format!("http://{admin}") };
        let started = Instant::now();
        while ureq::get(format!("http://{admin}/livez")).call().is_err() {
            assert!(started.elapsed() < DEADLINE, "the program does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        program
    }

    /// Publishes events; true if the program acknowledged them all.
    pub fn publish(&self, events: &[NewEvent]) -> bool {
        let body: Vec<u8> =
            events.iter().flat_map(|event| event.payload.iter().copied().chain([b'\n'])).collect();
        let sent = ureq::post(format!("{}/v1/events", self.http))
            .header("content-type", "application/x-ndjson")
            .send(&body[..]);
        sent.is_ok_and(|answer| answer.status() == 200)
    }

    /// Where its API is.
    #[cfg(feature = "otlp")]
    pub fn api(&self) -> &str {
        &self.http
    }

    /// Where its operators' listener is.
    #[cfg(feature = "otlp")]
    pub fn operators(&self) -> &str {
        &self.admin
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Status and body of what operators ask.
    pub fn operators_ask(&self, path: &str) -> (u16, String) {
        ask(&format!("{}{path}", self.admin))
    }

    /// Status and body of what everybody asks.
    pub fn ask(&self, path: &str) -> (u16, String) {
        ask(&format!("{}{path}", self.http))
    }

    /// Whether it ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_some())
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.child.kill().expect("SIGKILL is sent");
        self.child.wait().expect("the program ended");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Status and body; 0 where there is no answer. A node that is behind with its answers says so, and is asked again, as clients do.
pub fn ask(url: &str) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let started = Instant::now();
    loop {
        let answered = agent.get(url).call().and_then(|mut answer| {
            let body = answer.body_mut().read_to_string()?;
            Ok((answer.status().as_u16(), body))
        });
        let (status, body) = answered.unwrap_or_else(|error| (0, error.to_string()));
        if status != 429 || started.elapsed() > DEADLINE {
            return (status, body);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
