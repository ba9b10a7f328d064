//! Where a plan runs: NATS, Redis and engines with proxies between them, or somebody else's engines.

mod engine;
mod process;
mod servers;

pub use engine::Engine;
pub use process::{run_command, signal};
pub use servers::{Links, Servers};

use super::ChaosError;
use super::plan::{Part, Plan};
use nearline_backends::nats::NatsSettings;
use nearline_backends::redis::RedisSettings;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use tokio::runtime::Handle;

/// How to run the engine.
#[derive(Debug, Clone)]
pub struct Program {
    /// The binary `nearline`.
    pub binary: PathBuf,
}

/// Everything that a plan runs on.
#[derive(Debug)]
pub struct Bed {
    /// The engines; those after the first `nodes` join when a fault lets them.
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
                let urls = target.http.iter().zip(&target.admin);
                bed.engines =
                    urls.map(|(http, admin)| Engine::of_others(http.clone(), http, admin)).collect();
                bed.chaos_routes = bed.engines.iter().all(Engine::has_chaos_routes);
            }
            None => {
                let servers = Servers::start()?;
                let (nats, redis) = servers.urls();
                (bed.nats_url, bed.redis_url) = (Some(nats), Some(redis));
                bed.start_engines(plan, program, &servers, runtime)?;
                bed.servers = Some(servers);
            }
        }
        if let (Some(nats), Some(redis)) = (&bed.nats_url, &bed.redis_url) {
            let text = config(plan, nats, redis, "");
            bed.judge_config = Some(bed.write("judge.toml", &text)?);
        }
        Ok(bed)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, ChaosError> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).map_err(ChaosError::system(format!("writing {}", path.display())))?;
        Ok(path)
    }

    fn start_engines(
        &mut self,
        plan: &Plan,
        program: &Program,
        servers: &Servers,
        runtime: &Handle,
    ) -> Result<(), ChaosError> {
        for number in 1..=plan.nodes + plan.spares() {
            let name = format!("n{number}");
            let (http, admin) = (free_address()?, free_address()?);
            let links = servers.link(runtime)?;
            let [nats, redis] = [Part::Nats, Part::Redis].map(|part| links.proxy(part).address());
            let text = config(
                plan,
                &format!("nats://{nats}"),
                &format!("redis://{redis}"),
                &format!(
                    "[http]\naddress = \"{http}\"\n[admin]\naddress = \"{admin}\"\n[chaos]\nenabled = true\n\
                     [node]\nname = \"{name}\"\nlease_ms = {}\n",
                    plan.lease_ms
                ),
            );
            let path = self.write(&format!("{name}.toml"), &text)?;
            let command =
                [program.binary.as_path(), Path::new("--config"), path.as_path(), Path::new("serve")]
                    .map(|part| part.display().to_string())
                    .to_vec();
            let output = self.directory.path().join(format!("{name}.log"));
            let urls = (format!("http://{http}"), format!("http://{admin}"));
            let engine = Engine::of_ours(name, urls, links, command, output);
            if number <= plan.nodes {
                engine.start()?;
            }
            self.engines.push(engine);
        }
        self.chaos_routes = self.engines[..plan.nodes].iter().all(Engine::has_chaos_routes);
        Ok(())
    }

    /// An engine that clients know of, in turns by `number`.
    pub fn in_service(&self, number: usize) -> &Engine {
        let known: Vec<&Engine> = self.engines.iter().filter(|e| e.in_service.load(Relaxed)).collect();
        match known.len() {
            0 => &self.engines[number % self.engines.len()],
            count => known[number % count],
        }
    }

    /// Engines that run and were not asked to stop.
    pub fn running(&self) -> Vec<&Engine> {
        self.engines.iter().filter(|engine| engine.is_running()).collect()
    }

    /// The log's settings, for the judge and for publishers over NATS.
    pub fn nats_settings(&self, plan: &Plan) -> Option<NatsSettings> {
        let &Plan { partitions, block_events, .. } = plan;
        let url = self.nats_url.clone()?;
        Some(NatsSettings { url, partitions, block_events, ..NatsSettings::default() })
    }

    /// The store's settings, for the judge.
    pub fn redis_settings(&self) -> Option<RedisSettings> {
        Some(RedisSettings { url: self.redis_url.clone()?, ..RedisSettings::default() })
    }

    /// Stops the engines that were started here, in order; what did not end as it should.
    pub fn stop_engines(&self) -> Vec<String> {
        let failures = |engine: &Engine| engine.stop().err().map(|error| error.to_string());
        std::thread::scope(|scope| {
            let ours = self.engines.iter().filter(|engine| engine.is_ours());
            let stopping: Vec<_> = ours.map(|engine| scope.spawn(move || failures(engine))).collect();
            stopping.into_iter().filter_map(|stopped| stopped.join().ok().flatten()).collect()
        })
    }

    /// Keeps the directory of the run, with the engines' log lines; where it is.
    pub fn keep(mut self) -> PathBuf {
        self.directory.disable_cleanup(true);
        self.directory.path().to_owned()
    }
}

fn config(plan: &Plan, nats: &str, redis: &str, own: &str) -> String {
    let mut engine = plan.engine.clone();
    engine.insert("partitions".to_owned(), i64::from(plan.partitions).into());
    let block = plan.block_events;
    format!(
        "[engine]\n{engine}\n[backend]\nkind = \"cluster\"\n[nats]\nurl = \"{nats}\"\nblock_events = {block}\n[redis]\nurl = \"{redis}\"\n\
         {own}[log]\nformat = \"json\"\n"
    )
}
