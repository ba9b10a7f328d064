//! A disk that is full and has room again, a real one of memory: publishing comes back by itself, nothing that was
//! acknowledged is lost, and stopping keeps its time. Mounting needs privileges: without them the tests say so and
//! end.

use crate::program::{Program, SHUTDOWN_SECONDS};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

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

#[test]
fn when_a_full_disk_has_room_again_publishing_comes_back_and_nothing_acknowledged_is_lost() {
    let Some(disk) = SmallDisk::mount(120) else { return };
    let program = Program::start(disk.0.path(), 500);
    program.until_ready();
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
    program.until_ready();
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
    program.until_ready();
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
    program.until_ready();
    assert!(program.publish(10_000));
    assert!(program.terminate() < Duration::from_secs(SHUTDOWN_SECONDS + 2));
    assert!(program.said().contains("everything is committed"), "{}", program.said());
}
