//! A process and all that it starts, watched until its end.

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
    let (mut cpu, mut peak) = (HashMap::new(), 0_u64);
    let status = loop {
        let mut resident = 0;
        for (process, used, kib) in processes_of(group) {
            cpu.insert(process, used);
            resident += kib;
        }
        peak = peak.max(resident);
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
    Ok(Used { wall, cpu, peak_mib: peak as f64 / 1_024.0 })
}

/// CPU time of all children of this process that have ended, and of theirs.
fn waited_for() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&fields(&stat), [13, 14])
}

/// Processes of a group: CPU time and resident KiB of each.
fn processes_of(group: u32) -> Vec<(u32, Duration, u64)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let used = processes.filter_map(|process| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields = fields(&stat);
        (fields.get(2)?.parse() == Ok(group))
            .then(|| (process, ticks(&fields, [11, 12]), resident_kib(process)))
    });
    used.collect()
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Fields of a `stat`, from the state on: the program's name before it may hold spaces.
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect()
}

fn ticks(fields: &[&str], places: [usize; 2]) -> Duration {
    let ticks: u64 = places.iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux this runs on.
    Duration::from_millis(ticks * 10)
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
