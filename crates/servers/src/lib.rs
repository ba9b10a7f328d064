//! Private servers for tests, benchmarks and demonstrations: real `nats-server` and `redis-server`
//! processes on free loopback ports, with their data in a directory of their own. Servers that are
//! already running are never touched. On Linux they end with the process that started them, however it
//! ends, where `setpriv` (util-linux) is installed.
//!
//! All calls block (for less than a second, mostly) and are meant for setting things up.

mod nats_cluster;
mod ports;
mod process;
mod redis_cluster;
mod spawner;

pub use nats_cluster::NatsCluster;
pub use process::ServerError;
pub use redis_cluster::RedisCluster;
pub use spawner::{command, spawn};

use process::{ServerProcess, Setup};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// A port on loopback that nobody listens on, and that nobody gets who asks here while this process lives: for programs that
/// must be told theirs beforehand.
///
/// # Errors
/// If none is free.
pub fn free_port() -> std::io::Result<u16> {
    Ok(ports::free_ports(1)?[0])
}

/// Such a port, with loopback's address before it.
///
/// # Errors
/// If none is free.
pub fn free_address() -> std::io::Result<SocketAddr> {
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)))
}

/// A private NATS server with JetStream on. It is killed when dropped.
#[derive(Debug)]
pub struct NatsServer(ServerProcess);

impl NatsServer {
    /// Starts a server with its streams in `dir` (`None`: a temporary directory).
    ///
    /// # Errors
    /// [`ServerError`] if there is no `nats-server`, or if it does not come up.
    pub fn start(dir: Option<&Path>) -> Result<Self, ServerError> {
        ServerProcess::start(&process::NATS, Setup { dir, ..Setup::default() }).map(Self)
    }

    /// Starts a server as `file` configures it, but for its address and the directory of its streams,
    /// which is a temporary one.
    ///
    /// # Errors
    /// [`ServerError`] if there is no `nats-server`, or if it does not come up with this file.
    pub fn start_with_file(file: &Path) -> Result<Self, ServerError> {
        ServerProcess::start(&process::NATS, Setup { file: Some(file), ..Setup::default() }).map(Self)
    }

    /// Where clients connect to, such as `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.0.port())
    }

    /// Id of the server's process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.0.process_id()
    }

    /// Kills the server (as SIGKILL does); its data stay.
    pub fn stop(&mut self) {
        self.0.stop();
    }

    /// Starts it again on the same port with the same data, killing it first if it runs.
    ///
    /// # Errors
    /// [`ServerError`] if it does not come up.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.0.restart()
    }
}

/// A private Redis server that appends every write to a file. It is killed when dropped.
#[derive(Debug)]
pub struct RedisServer(ServerProcess);

impl RedisServer {
    /// Starts a server with its data in a temporary directory.
    ///
    /// # Errors
    /// [`ServerError`] if there is no `redis-server`, or if it does not come up.
    pub fn start() -> Result<Self, ServerError> {
        ServerProcess::start(&process::REDIS, Setup::default()).map(Self)
    }

    /// Starts a server as `file` configures it, but for its address and the directory of its data, which
    /// is a temporary one.
    ///
    /// # Errors
    /// [`ServerError`] if there is no `redis-server`, or if it does not come up with this file.
    pub fn start_with_file(file: &Path) -> Result<Self, ServerError> {
        ServerProcess::start(&process::REDIS, Setup { file: Some(file), ..Setup::default() }).map(Self)
    }

    /// Directory of its data: the append-only file is in `appendonlydir`.
    pub fn directory(&self) -> &Path {
        self.0.dir()
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Where clients connect to, such as `redis://127.0.0.1:6379`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port())
    }

    /// Id of the server's process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.0.process_id()
    }

    /// Kills the server (as SIGKILL does); its data stay.
    pub fn stop(&mut self) {
        self.0.stop();
    }

    /// Stops the server's clock (SIGSTOP) until the guard is dropped: it is there, but does not answer.
    ///
    /// # Errors
    /// [`ServerError`] if it does not run, or cannot be sent a signal.
    pub fn pause(&self) -> Result<Pause, ServerError> {
        self.0.pause().map(Pause)
    }

    /// Starts it again on the same port with the same data, killing it first if it runs.
    ///
    /// # Errors
    /// [`ServerError`] if it does not come up.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.0.restart()
    }
}

/// A server that stands still until this is dropped.
#[derive(Debug)]
pub struct Pause(u32);

impl Drop for Pause {
    fn drop(&mut self) {
        // It fails only where the server has ended, which is no concern of whoever paused it.
        let _ = process::signal(self.0, "CONT");
    }
}
