//! A disk that is full and has room again, a real one of memory: publishing comes back by itself, nothing that was
//! acknowledged is lost, and stopping keeps its time. Mounting needs privileges: without them the tests say so and
//! end.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(60);
const SHUTDOWN_SECONDS: u64 = 4;

/// A file system of its own, gone with this.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(directory.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("not tried: mounting a file system is not permitted here");
        }
        mounted.then_some(Self(directory))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("made");
        let chunk = vec![0_u8; 64 << 10];
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
        for byte in [0_u8; 4_096] {
            if std::io::Write::write_all(&mut file, &[byte]).is_err() {
                break;
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever was killed may hold it for a moment.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

struct Program {
    process: Child,
    http: String,
    admin: String,
    said: Arc<Mutex<Vec<String>>>,
    agent: ureq::Agent,
}

impl Program {
    fn start(disk: &Path, commit_interval_ms: u32) -> Self {
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
    fn publish(&self, number: u64) -> bool {
        let note = "x".repeat(20_000);
        let event = format!(
            r#"{{"id":"e{number}","type":"play","member":"m{}","title":"t1","at":"2026-03-01T20:15:00Z","note":"{note}"}}"#,
            number % 1_000
        );
        let sent =
            self.agent.post(format!("{}/v1/events", self.http)).content_type("application/json").send(event);
        sent.is_ok_and(|answer| answer.status() == 200)
    }

    fn get(&self, base: &str, path: &str) -> Option<(u16, Value)> {
        let mut answer = self.agent.get(format!("{base}{path}")).call().ok()?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    fn until<T>(&self, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = condition() {
                return found;
            }
            assert!(started.elapsed() < DEADLINE, "waited in vain until {what}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn said(&self) -> String {
        self.said.lock().expect("not poisoned").join("\n")
    }

    /// Sends SIGTERM; how long it took to end.
    fn terminate(&mut self) -> Duration {
        let asked = Instant::now();
        let sent = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()));
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

#[test]
fn when_a_full_disk_has_room_again_publishing_comes_back_and_nothing_acknowledged_is_lost() {
    let Some(disk) = SmallDisk::mount(120) else { return };
    let program = Program::start(disk.0.path(), 500);
    program
        .until("it is ready", || program.get(&program.admin, "/readyz").filter(|(status, _)| *status == 200));
    let mut acknowledged: Vec<u64> = (0..100).filter(|number| program.publish(*number)).collect();
    assert_eq!(acknowledged.len(), 100);
    disk.fill();
    let mut number = 100;
    program.until("the disk is full", || {
        number += 1;
        match program.publish(number) {
            true => acknowledged.push(number),
            false => return Some(()),
        }
        None
    });
    for _ in 0..50 {
        number += 1;
        assert!(!program.publish(number), "nothing is taken that cannot be kept");
    }
    let answer = program.get(&program.http, "/v1/members/m1/recommendations").expect("an answer");
    assert_eq!(answer.0, 200, "queries are answered: {}", answer.1);
    let told = program.said().lines().filter(|line| line.contains("ERROR")).count();
    assert!(told <= 6, "{told} errors for 50 publishes:\n{}", program.said());

    std::fs::remove_file(disk.filler()).expect("removed");
    program.until("publishing comes back", || {
        number += 1;
        program.publish(number).then(|| acknowledged.push(number))
    });
    program.until("it is ready again", || {
        program.get(&program.admin, "/readyz").filter(|(status, _)| *status == 200)
    });
    let plays = |title: &str| {
        let insights = program.get(&program.http, &format!("/v1/titles/{title}/insights"))?.1;
        insights["plays_ever"].as_u64()
    };
    let least = acknowledged.len() as u64;
    let counted = program.until("all are counted", || plays("t1").filter(|plays| *plays >= least));
    // What was not acknowledged may be there once, not more often.
    assert!(counted <= number + 1, "{counted} of {number}");
}

#[test]
fn stopping_beside_a_full_disk_keeps_its_time_and_claims_nothing() {
    let Some(disk) = SmallDisk::mount(120) else { return };
    let mut program = Program::start(disk.0.path(), 60_000);
    program
        .until("it is ready", || program.get(&program.admin, "/readyz").filter(|(status, _)| *status == 200));
    // Folded, and not committed yet.
    assert!((0..300).all(|number| program.publish(number)));
    disk.fill();
    let mut number = 300;
    program.until("the disk is full", || {
        number += 1;
        (!program.publish(number)).then_some(())
    });
    let partitions = program.get(&program.admin, "/admin/partitions").expect("an answer").1;
    let partitions = partitions.as_array().expect("partitions");
    let is_uncommitted = partitions.iter().any(|p| p["folded"].as_u64() > p["committed"].as_u64());
    assert!(
        is_uncommitted,
        "the last events before the disk was full could not be committed: {partitions:?}"
    );
    let took = program.terminate();
    assert!(took < Duration::from_secs(SHUTDOWN_SECONDS + 2), "{took:?}");
    let said = program.said();
    assert!(said.contains("could not commit") && !said.contains("everything is committed"), "{said}");

    // And without trouble it says so.
    std::fs::remove_file(disk.filler()).expect("removed");
    let mut program = Program::start(disk.0.path(), 500);
    program
        .until("it is ready", || program.get(&program.admin, "/readyz").filter(|(status, _)| *status == 200));
    assert!(program.publish(10_000));
    assert!(program.terminate() < Duration::from_secs(SHUTDOWN_SECONDS + 2));
    assert!(program.said().contains("everything is committed"), "{}", program.said());
}
