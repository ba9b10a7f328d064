//! What this process has used, as the kernel counts it.

use std::time::Duration;

/// CPU time of this process so far, user and system.
pub fn cpu_time() -> Duration {
    cpu_time_of(std::process::id())
}

/// CPU time of a process so far, user and system.
pub fn cpu_time_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field, the program's name, may hold spaces: count from behind its closing bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux this runs on.
    Duration::from_millis(ticks * 10)
}

/// Resident memory of this process, in MiB.
pub fn rss_mib() -> f64 {
    status_mib("VmRSS:")
}

/// Most resident memory that this process has had, in MiB.
pub fn peak_rss_mib() -> f64 {
    status_mib("VmHWM:")
}

fn status_mib(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

/// What else the machine did while something was measured.
pub struct Neighbours {
    load: f64,
    stolen: Duration,
}

impl Neighbours {
    /// As of now: what is measured has not begun.
    pub fn now() -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default();
        Self { load, stolen: stolen() }
    }

    /// Processes that ran or wanted to before, as an average over a minute.
    pub fn load(&self) -> f64 {
        self.load
    }

    /// Time since, on all cores together, that other machines on the same hardware were given.
    pub fn stolen_since(&self) -> Duration {
        stolen().saturating_sub(self.stolen)
    }
}

fn stolen() -> Duration {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = stat.lines().next().unwrap_or_default();
    let ticks = all.split_whitespace().nth(8).and_then(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(ticks.unwrap_or_default() * 10)
}
