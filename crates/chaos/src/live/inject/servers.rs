//! Faults of the servers, and of the connections to them.

use super::engines::pause;
use super::{Broken, Injector};
use crate::live::ChaosError;
use crate::live::bed::{Engine, Servers, run_command};
use crate::live::plan::{FaultKind, FaultPlan, Part, Reach};
use crate::live::proxy::{Passage, Proxy};
use std::process::Command;
use std::time::Duration;

impl<'a> Injector<'a> {
    fn servers(&self, fault: &FaultPlan) -> Result<&'a Servers, ChaosError> {
        let not_ours =
            || ChaosError::Engine(format!("{} needs a server that was started here", fault.label()));
        self.bed.servers.as_ref().ok_or_else(not_ours)
    }

    pub(super) fn break_server(&self, fault: &FaultPlan) -> Result<Broken<'a>, ChaosError> {
        let servers = self.servers(fault)?;
        let for_time = Duration::from_millis(fault.for_ms);
        let part = fault.on.unwrap_or(Part::Nats);
        match fault.kind {
            FaultKind::ServerStop => pause(servers.process_id(part), for_time)?,
            FaultKind::DiskFull => {
                let process = servers
                    .process_id(Part::Nats)
                    .ok_or_else(|| ChaosError::Engine("the log's server does not run".to_owned()))?;
                limit_files(process, "0:unlimited")?;
                std::thread::sleep(for_time);
                limit_files(process, "unlimited:unlimited")?;
                // NATS takes a stream whose files it could not write out of service until it is restarted.
                servers.restart(Part::Nats)?;
            }
            _ => {
                servers.kill(part);
                std::thread::sleep(for_time);
                servers.restart(part)?;
            }
        }
        Ok(Broken::over_now())
    }

    pub(super) fn break_network(&self, fault: &FaultPlan, one: &Engine) -> Result<Broken<'a>, ChaosError> {
        self.servers(fault)?;
        let part = fault.on.unwrap_or(Part::Nats);
        let affected = self.bed.engines.iter().filter(|e| fault.of != Some(Reach::One) || e.name == one.name);
        let proxies: Vec<&Proxy> =
            affected.filter_map(|engine| engine.links.as_ref()).map(|links| links.proxy(part)).collect();
        for proxy in &proxies {
            match fault.kind {
                FaultKind::Latency => proxy.set_latency_ms(fault.latency_ms),
                FaultKind::Bandwidth => proxy.set_bytes_per_s(fault.bytes_per_s.max(1)),
                FaultKind::Reset => proxy.set_passage(Passage::Reset),
                _ => proxy.set_passage(Passage::Silent),
            }
        }
        std::thread::sleep(Duration::from_millis(fault.for_ms));
        for proxy in &proxies {
            proxy.set_latency_ms(0);
            proxy.set_bytes_per_s(0);
            proxy.set_passage(Passage::Open);
        }
        Ok(Broken::over_now())
    }
}

/// Limits the size that files of a process may grow to.
fn limit_files(process: u32, limit: &str) -> Result<(), ChaosError> {
    run_command(Command::new("prlimit").args(["--pid", &process.to_string(), &format!("--fsize={limit}")]))
}
