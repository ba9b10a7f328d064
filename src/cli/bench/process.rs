//! What this process has used, as the kernel counts it.

use std::time::Duration;

/// CPU time of this process so far, user and system.
pub fn cpu_time() -> Duration {
    cpu_time_of(std::process::id())
}

/// CPU time of a process so far, user and system.
pub fn cpu_time_of(process: u32) -> Duration {
    Stat::of(process).map_or(Duration::ZERO, |stat| stat.cpu_time())
}

/// What the kernel tells of a process in `/proc/PID/stat`.
pub struct Stat(String);

impl Stat {
    /// That of a process, while there is one.
    pub fn of(process: u32) -> Option<Self> {
        std::fs::read_to_string(format!("/proc/{process}/stat")).ok().map(Self)
    }

    /// A field, from the state on: the program's name before it may hold spaces.
    fn field<T: std::str::FromStr>(&self, at: usize) -> Option<T> {
        self.0.rsplit(')').next()?.split_whitespace().nth(at)?.parse().ok()
    }

    fn ticks(&self, fields: [usize; 2]) -> Duration {
        let ticks: u64 = fields.iter().filter_map(|at| self.field::<u64>(*at)).sum();
        // USER_HZ is 100 on every Linux this runs on.
        Duration::from_millis(ticks * 10)
    }

    /// User and system, so far.
    pub fn cpu_time(&self) -> Duration {
        self.ticks([11, 12])
    }

    /// The same of its children that have ended and were waited for, and of theirs.
    pub fn cpu_time_of_children(&self) -> Duration {
        self.ticks([13, 14])
    }

    /// Number of its group.
    pub fn group(&self) -> Option<u32> {
        self.field(2)
    }
}

/// Resident memory of this process, in MiB.
pub fn rss_mib() -> f64 {
    rss_mib_of(std::process::id())
}

/// Resident memory of a process, in MiB.
pub fn rss_mib_of(process: u32) -> f64 {
    status_mib(process, "VmRSS:")
}

/// Most resident memory that this process has had, in MiB.
pub fn peak_rss_mib() -> f64 {
    status_mib(std::process::id(), "VmHWM:")
}

fn status_mib(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
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
