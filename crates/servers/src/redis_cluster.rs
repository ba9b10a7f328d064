//! Several Redis servers that form one Redis Cluster.

use super::process::{self, PORT_ATTEMPTS, READY_TIMEOUT, ServerError, ServerProcess, Setup};
use redis::{Connection, RedisResult, cmd};
use std::time::{Duration, Instant};

const SLOTS: usize = 16_384;
/// Milliseconds after which the others take a silent master for dead.
const NODE_TIMEOUT_MS: &str = "2000";

/// Private Redis servers, all masters, with the slots of one cluster divided between them. They are
/// killed when dropped.
#[derive(Debug)]
pub struct RedisCluster(Vec<ServerProcess>);

impl RedisCluster {
    /// Starts `size` masters (at least three) with their data in temporary directories, and waits until
    /// they agree.
    ///
    /// # Errors
    /// [`ServerError`] if there is no `redis-server` of version 7 or newer, or if the servers do not form
    /// a cluster.
    pub fn start(size: usize) -> Result<Self, ServerError> {
        let (buses, masters): (Vec<u16>, Vec<ServerProcess>) =
            (0..size).map(|_| start_master()).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let not_formed =
            |error: redis::RedisError| masters[0].not_ready(format!("no cluster is formed: {error}"));
        let mut connections =
            masters.iter().map(connect).collect::<RedisResult<Vec<_>>>().map_err(not_formed)?;
        form(&masters, &buses, &mut connections).map_err(not_formed)?;
        let deadline = Instant::now() + READY_TIMEOUT;
        for (master, connection) in masters.iter().zip(&mut connections) {
            while !agrees(connection, size).map_err(not_formed)? {
                if Instant::now() > deadline {
                    return Err(master.not_ready("the cluster does not agree on its slots"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(Self(masters))
    }

    /// Where clients connect to: all masters, separated by commas.
    pub fn url(&self) -> String {
        let urls: Vec<String> = (0..self.0.len()).map(|number| self.master_url(number)).collect();
        urls.join(",")
    }

    /// Where one master is.
    pub fn master_url(&self, number: usize) -> String {
        format!("redis://127.0.0.1:{}", self.port(number))
    }

    /// Port of one master.
    pub fn port(&self, number: usize) -> u16 {
        self.0[number].port()
    }

    /// Kills a master (as SIGKILL does); its data stay.
    pub fn stop(&mut self, number: usize) {
        self.0[number].stop();
    }

    /// Starts it again on the same ports with the same data, killing it first if it runs.
    ///
    /// # Errors
    /// [`ServerError`] if it does not come up.
    pub fn restart(&mut self, number: usize) -> Result<(), ServerError> {
        self.0[number].restart()
    }
}

/// A server and the port that it talks to the other masters on.
fn start_master() -> Result<(u16, ServerProcess), ServerError> {
    let directory = |source| ServerError::Directory { program: "redis-server", source };
    let mut last = None;
    for _ in 0..PORT_ATTEMPTS {
        let bus = super::ports::free_ports(1).map_err(directory)?[0];
        let more = ["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()];
        let mut more = more.map(String::from).to_vec();
        more.extend(["--cluster-node-timeout", NODE_TIMEOUT_MS].map(String::from));
        match ServerProcess::start(&process::REDIS, Setup { more, ..Setup::default() }) {
            Ok(server) => return Ok((bus, server)),
            Err(error @ ServerError::NotFound { .. }) => return Err(error),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("at least one attempt was made"))
}

fn connect(master: &ServerProcess) -> RedisResult<Connection> {
    redis::Client::open(format!("redis://127.0.0.1:{}", master.port()))?.get_connection()
}

/// Divides the slots, and has the first master meet the others.
fn form(masters: &[ServerProcess], buses: &[u16], connections: &mut [Connection]) -> RedisResult<()> {
    let size = masters.len();
    for (number, connection) in connections.iter_mut().enumerate() {
        let (first, behind) = (number * SLOTS / size, (number + 1) * SLOTS / size);
        cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(first).arg(behind - 1).exec(connection)?;
        cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1).exec(connection)?;
    }
    for (master, bus) in masters.iter().zip(buses).skip(1) {
        let mut meet = cmd("CLUSTER");
        meet.arg("MEET").arg("127.0.0.1").arg(master.port()).arg(*bus).exec(&mut connections[0])?;
    }
    Ok(())
}

/// Whether a master knows the others and finds every slot served.
fn agrees(connection: &mut Connection, size: usize) -> RedisResult<bool> {
    let info: String = cmd("CLUSTER").arg("INFO").query(connection)?;
    let slots: Vec<redis::Value> = cmd("CLUSTER").arg("SLOTS").query(connection)?;
    let wanted = ["cluster_state:ok".to_owned(), format!("cluster_known_nodes:{size}")];
    Ok(slots.len() == size && wanted.iter().all(|line| info.lines().any(|found| found.trim() == line)))
}
