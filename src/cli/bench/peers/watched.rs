//! A process and all that it starts, watched until its end.

use crate::cli::bench::process::{Stat, rss_mib_of};
use anyhow::Context;
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Between two looks: what is used after the last one by a process that nobody waits for is not counted.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a process and its children have used.
pub struct Used {
    pub wall: Duration,
    /// User and system, of all of them.
    pub cpu: Duration,
    /// Most resident memory of all of them together.
    pub peak_mib: f64,
}

/// Runs it to its end; what it prints goes into `work/log`.
pub fn run(mut command: Command, work: &Path) -> anyhow::Result<Used> {
    let log = work.join("log");
    let output = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(std::process::Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
    let (started, waited_before) = (Instant::now(), waited_for());
    let mut child = command.spawn().with_context(|| format!("starting {name}"))?;
    let group = child.id();
    let (mut cpu, mut peak_mib) = (HashMap::new(), 0.0_f64);
    let status = loop {
        let mut resident_mib = 0.0;
        for (process, used) in processes_of(group) {
            cpu.insert(process, used);
            resident_mib += rss_mib_of(process);
        }
        peak_mib = resident_mib.max(peak_mib);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    let wall = started.elapsed();
    if !status.success() {
        let printed = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = printed.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        anyhow::bail!("{name} ended with {status}; it printed last:\n{last}");
    }
    // The kernel's sum is exact, but knows only those that were waited for.
    let cpu = (waited_for() - waited_before).max(cpu.into_values().sum());
    Ok(Used { wall, cpu, peak_mib })
}

/// CPU time of all children of this process that have ended, and of theirs.
fn waited_for() -> Duration {
    Stat::of(std::process::id()).map_or(Duration::ZERO, |stat| stat.cpu_time_of_children())
}

/// Processes of a group, and what each has used.
fn processes_of(group: u32) -> Vec<(u32, Duration)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let used = processes.filter_map(|process| {
        let stat = Stat::of(process)?;
        (stat.group() == Some(group)).then(|| (process, stat.cpu_time()))
    });
    used.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_children_counts_and_a_failure_says_what_was_printed() {
        let work = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; (while [ $i -lt 200000 ]; do i=$((i+1)); done) & wait"]);
        let used = run(command, work.path()).expect("it ends well");
        assert!(used.cpu >= Duration::from_millis(10) && used.peak_mib > 0.0, "{:?}", used.cpu);
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such table; exit 3"]);
        let error = run(command, work.path()).err().expect("it fails").to_string();
        assert!(error.contains("no such table") && error.contains('3'), "{error}");
    }
}
