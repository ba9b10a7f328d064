//! Memory, disk and open files of this machine, or of the container.

use nearline_config::{BackendKind, Config};
use nearline_ports::finding::Finding;
use std::path::Path;

const MIB: u64 = 1 << 20;
/// Below this a start alone may not fit.
const LEAST_MEMORY: u64 = 256 * MIB;
/// Below this full tables of `[aggregates]` may not fit.
const FULL_MEMORY: u64 = 1_024 * MIB;
const LEAST_DISK: u64 = 256 * MIB;
const LITTLE_DISK: u64 = 5_120 * MIB;
/// Open files that the embedded databases and some hundred callers take.
const LEAST_FILES: u64 = 1_024;

pub(super) fn examine(config: &Config) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [memory(), files(config)].into_iter().flatten().collect();
    if config.backend.kind == BackendKind::Embedded {
        findings.extend(disk(Path::new(&config.embedded.directory)));
    }
    findings
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes / MIB)
}

/// What this process may use: of its control group, else of the machine.
fn memory() -> Option<Finding> {
    let of_group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let of_machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024;
    Some(of_memory(of_group.filter(|limit| *limit < of_machine), of_machine))
}

fn of_memory(of_group: Option<u64>, of_machine: u64) -> Finding {
    let limit = of_group.unwrap_or(of_machine);
    let whose = if of_group.is_some() { "the container's limit" } else { "the machine's" };
    let says = format!("{} of memory ({whose})", mebibytes(limit));
    let advice = "give it 1 GiB or more, or lower the limits of [aggregates] and engine.cached_members before the first \
                  start; watch nearline_memory_bytes";
    if limit < LEAST_MEMORY {
        Finding::fail("memory", says, advice)
    } else {
        Finding::warn_unless(limit >= FULL_MEMORY, "memory", says, advice)
    }
}

/// How many files may be open at a time.
fn files(config: &Config) -> Option<Finding> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    // "unlimited" is enough.
    let limit = line.split_whitespace().next()?.parse::<u64>().unwrap_or(u64::MAX);
    let most = config.http.max_connections;
    let says = format!("{limit} files may be open; http.max_connections is {most} a thread");
    Some(Finding::warn_unless(
        limit >= LEAST_FILES,
        "files",
        says,
        "raise the limit (ulimit -n 65536, LimitNOFILE=)",
    ))
}

/// Room where the directory is, or will be.
#[cfg(target_os = "linux")]
fn disk(directory: &Path) -> Option<Finding> {
    let there = directory.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("."));
    let room = rustix::fs::statvfs(there).ok()?;
    Some(of_disk(&there.display().to_string(), room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize))
}

#[cfg(not(target_os = "linux"))]
fn disk(_directory: &Path) -> Option<Finding> {
    None
}

fn of_disk(place: &str, free: u64, all: u64) -> Finding {
    let says = format!("{} of {} free at {place}", mebibytes(free), mebibytes(all));
    let advice = "make room, or bound the log with embedded.retention_events: a full disk refuses events";
    if free < LEAST_DISK {
        Finding::fail("disk", says, advice)
    } else {
        Finding::warn_unless(free >= LITTLE_DISK, "disk", says, advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearline_ports::finding::Verdict;

    #[test]
    fn little_is_told_and_too_little_does_not_do() {
        for (limit, verdict) in [(100, Verdict::Fail), (512, Verdict::Warn), (2_048, Verdict::Ok)] {
            assert_eq!(of_memory(Some(limit * MIB), 64_000 * MIB).verdict, verdict, "{limit}");
        }
        for (free, verdict) in [(100, Verdict::Fail), (1_000, Verdict::Warn), (6_000, Verdict::Ok)] {
            assert_eq!(of_disk("/", free * MIB, 100_000 * MIB).verdict, verdict, "{free}");
        }
        assert!(of_memory(None, 64_000 * MIB).says.contains("the machine's"));
    }
}
