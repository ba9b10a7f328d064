//! Where a plan runs: NATS, Redis and engines with proxies between them, or somebody else's engine.

use super::ChaosError;
use super::plan::{Part, Plan};
use super::proxy::Proxy;
use nearline_backends::local_servers::{NatsServer, RedisServer};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use parking_lot::Mutex;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long an engine may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long an engine may take to stop in order.
const STOP_DEADLINE: Duration = Duration::from_secs(25);

/// How to run the engine.
#[derive(Debug, Clone)]
pub struct Program {
    /// The binary `nearline`.
    pub binary: PathBuf,
}

/// One engine.
#[derive(Debug)]
pub struct Engine {
    /// Base URL of its API.
    pub http: String,
    /// Base URL of its operators' listener.
    pub admin: String,
    process: Option<Mutex<EngineProcess>>,
}

#[derive(Debug)]
struct EngineProcess {
    command: Vec<String>,
    output: PathBuf,
    child: Option<Child>,
}

/// The servers of a bed that was made here.
#[derive(Debug)]
pub struct Servers {
    nats: Mutex<NatsServer>,
    redis: Mutex<RedisServer>,
    nats_proxy: Proxy,
    redis_proxy: Proxy,
}

/// Everything that a plan runs on.
#[derive(Debug)]
pub struct Bed {
    /// The engines.
    pub engines: Vec<Engine>,
    /// Servers that were started here.
    pub servers: Option<Servers>,
    /// Where the log is, without a proxy.
    pub nats_url: Option<String>,
    /// Where the store is, without a proxy.
    pub redis_url: Option<String>,
    /// Whether the engines take faults on purpose.
    pub chaos_routes: bool,
    /// A configuration of the judge's, if servers are known.
    pub judge_config: Option<PathBuf>,
    directory: tempfile::TempDir,
}

fn free_address() -> Result<SocketAddr, ChaosError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(ChaosError::system("finding a free port"))
}

fn address_of(url: &str) -> Result<SocketAddr, ChaosError> {
    let address = url.split("://").nth(1).and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| ChaosError::Engine(format!("{url:?} names no IP address and port")))
}

impl Bed {
    /// Starts what `plan` needs, or finds what it names.
    ///
    /// # Errors
    /// [`ChaosError`] where something does not start.
    pub fn make(plan: &Plan, program: &Program, runtime: &Handle) -> Result<Self, ChaosError> {
        let directory = tempfile::Builder::new()
            .prefix("nearline-chaos-")
            .tempdir()
            .map_err(ChaosError::system("a directory for the run"))?;
        let mut bed = Self {
            engines: Vec::new(),
            servers: None,
            nats_url: None,
            redis_url: None,
            chaos_routes: false,
            judge_config: None,
            directory,
        };
        match &plan.target {
            Some(target) => {
                (bed.nats_url, bed.redis_url) = (target.nats_url.clone(), target.redis_url.clone());
                bed.engines = target
                    .http
                    .iter()
                    .zip(&target.admin)
                    .map(|(http, admin)| Engine { http: trimmed(http), admin: trimmed(admin), process: None })
                    .collect();
                bed.chaos_routes = bed.engines.iter().all(Engine::has_chaos_routes);
            }
            None => {
                let (nats, redis) = (NatsServer::start(None)?, RedisServer::start()?);
                (bed.nats_url, bed.redis_url) = (Some(nats.url()), Some(redis.url()));
                bed.servers = Some(Servers {
                    nats_proxy: Proxy::start(runtime, address_of(&nats.url())?)?,
                    redis_proxy: Proxy::start(runtime, address_of(&redis.url())?)?,
                    nats: Mutex::new(nats),
                    redis: Mutex::new(redis),
                });
                bed.start_engines(plan, program)?;
            }
        }
        if let (Some(nats), Some(redis)) = (&bed.nats_url, &bed.redis_url) {
            let text = config(plan, nats, redis, "", false);
            bed.judge_config = Some(bed.write("judge.toml", &text)?);
        }
        Ok(bed)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, ChaosError> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).map_err(ChaosError::system(format!("writing {}", path.display())))?;
        Ok(path)
    }

    fn start_engines(&mut self, plan: &Plan, program: &Program) -> Result<(), ChaosError> {
        let Some(servers) = &self.servers else { return Ok(()) };
        let nats = format!("nats://{}", servers.nats_proxy.address());
        let redis = format!("redis://{}", servers.redis_proxy.address());
        let mut engines = Vec::new();
        for number in 0..plan.nodes {
            let (http, admin) = (free_address()?, free_address()?);
            let listeners = format!("[http]\naddress = \"{http}\"\n[admin]\naddress = \"{admin}\"\n");
            let mut engine =
                Engine { http: format!("http://{http}"), admin: format!("http://{admin}"), process: None };
            // An engine without faults on purpose refuses the section: it is asked once.
            for chaos in [true, false] {
                let text = config(plan, &nats, &redis, &listeners, chaos);
                let path = self.write(&format!("engine{number}.toml"), &text)?;
                let command =
                    [program.binary.as_path(), Path::new("--config"), path.as_path(), Path::new("serve")]
                        .map(|part| part.display().to_string())
                        .to_vec();
                let output = self.directory.path().join(format!("engine{number}.log"));
                engine.process = Some(Mutex::new(EngineProcess { command, output, child: None }));
                match engine.start() {
                    Err(error) if chaos && error.to_string().contains("chaos") => {}
                    outcome => {
                        outcome?;
                        break;
                    }
                }
            }
            engines.push(engine);
        }
        self.chaos_routes = engines.iter().all(Engine::has_chaos_routes);
        self.engines = engines;
        Ok(())
    }

    /// The log's settings, for the judge and for publishers over NATS.
    pub fn nats_settings(&self, partitions: u16) -> Option<NatsSettings> {
        Some(NatsSettings { url: self.nats_url.clone()?, partitions, ..NatsSettings::default() })
    }

    /// The store's settings, for the judge.
    pub fn redis_settings(&self) -> Option<RedisSettings> {
        Some(RedisSettings { url: self.redis_url.clone()?, ..RedisSettings::default() })
    }

    /// Stops the engines that were started here, in order.
    pub fn stop_engines(&self) {
        for engine in &self.engines {
            engine.stop();
        }
    }
}

fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

fn config(plan: &Plan, nats: &str, redis: &str, listeners: &str, chaos: bool) -> String {
    let mut engine = plan.engine.clone();
    engine.insert("partitions".to_owned(), i64::from(plan.partitions).into());
    let chaos = if chaos { "[chaos]\nenabled = true\n" } else { "" };
    format!(
        "[engine]\n{engine}\n[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{nats}\"\n[redis]\nurl = \"{redis}\"\n\
         {listeners}{chaos}[log]\nformat = \"json\"\n"
    )
}

impl Servers {
    /// The proxy in front of a server.
    pub fn proxy(&self, part: Part) -> &Proxy {
        match part {
            Part::Nats => &self.nats_proxy,
            Part::Redis => &self.redis_proxy,
        }
    }

    /// Kills a server.
    pub fn kill(&self, part: Part) {
        match part {
            Part::Nats => self.nats.lock().stop(),
            Part::Redis => self.redis.lock().stop(),
        }
    }

    /// Starts a server again, killing it first if it runs.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn restart(&self, part: Part) -> Result<(), ChaosError> {
        match part {
            Part::Nats => self.nats.lock().restart()?,
            Part::Redis => self.redis.lock().restart()?,
        }
        Ok(())
    }

    /// The process of a server, if it runs.
    pub fn process_id(&self, part: Part) -> Option<u32> {
        match part {
            Part::Nats => self.nats.lock().process_id(),
            Part::Redis => self.redis.lock().process_id(),
        }
    }
}

/// Runs a command that must succeed.
///
/// # Errors
/// [`ChaosError::System`] if it cannot be run, [`ChaosError::Engine`] if it fails.
pub fn run_command(command: &mut Command) -> Result<(), ChaosError> {
    let what = format!("{command:?}");
    let status = command.status().map_err(ChaosError::system(what.clone()))?;
    if status.success() { Ok(()) } else { Err(ChaosError::Engine(format!("{what} ended with {status}"))) }
}

/// Sends a signal to a process that was started here.
///
/// # Errors
/// Where `kill` fails.
pub fn signal(process: u32, name: &str) -> Result<(), ChaosError> {
    run_command(Command::new("kill").arg(format!("-{name}")).arg(process.to_string()))
}

impl Engine {
    /// Starts the process, and waits until it listens.
    ///
    /// # Errors
    /// [`ChaosError::Engine`] with the end of its output.
    pub fn start(&self) -> Result<(), ChaosError> {
        let Some(process) = &self.process else { return Ok(()) };
        let mut process = process.lock();
        let log = File::options()
            .create(true)
            .append(true)
            .open(&process.output)
            .map_err(ChaosError::system("the engine's log"))?;
        let child = Command::new(&process.command[0])
            .args(&process.command[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(ChaosError::system(format!("starting {}", process.command[0])))?;
        process.child = Some(child);
        let started = Instant::now();
        while ureq::get(format!("{}/livez", self.admin)).call().is_err() {
            let ended = process.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if ended.is_some() || started.elapsed() > START_DEADLINE {
                let text = std::fs::read_to_string(&process.output).unwrap_or_default();
                let tail: Vec<&str> = text.lines().rev().take(4).collect();
                let tail: Vec<&str> = tail.into_iter().rev().collect();
                return Err(ChaosError::Engine(format!("the engine does not listen: {}", tail.join(" | "))));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Its process, if it was started here and runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref()?.lock().child.as_ref().map(Child::id)
    }

    /// Kills it (SIGKILL).
    pub fn kill(&self) {
        if let Some(mut child) = self.process.as_ref().and_then(|process| process.lock().child.take()) {
            // Both fail only where it has ended already.
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }

    /// Whether it was started here, but has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_some_and(|process| {
            process.lock().child.as_mut().is_none_or(|child| child.try_wait().ok().flatten().is_some())
        })
    }

    fn stop(&self) {
        let Some(process) = self.process_id() else { return };
        let started = Instant::now();
        if signal(process, "TERM").is_ok() {
            while !self.has_ended() && started.elapsed() < STOP_DEADLINE {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.kill();
    }

    fn has_chaos_routes(&self) -> bool {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let cleared = agent.delete(format!("{}/admin/chaos/poison", self.admin)).call();
        cleared.is_ok_and(|answer| answer.status() == 200)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}
