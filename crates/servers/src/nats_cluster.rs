//! Several NATS servers that form one JetStream cluster.

use super::process::{self, Greeting, READY_TIMEOUT, ServerError, ServerProcess, Setup};
use std::time::{Duration, Instant};

/// Asks the cluster for its account; it answers without an error once it has a leader.
const JETSTREAM_IS_READY: Greeting = (
    b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB nearline.ready 1\r\nPUB $JS.API.INFO nearline.ready 0\r\n\r\n",
    &["\"memory\":"],
);

/// Private NATS servers with JetStream on, in one cluster: streams may have as many replicas. They are
/// killed when dropped.
#[derive(Debug)]
pub struct NatsCluster(Vec<ServerProcess>);

impl NatsCluster {
    /// Starts `size` servers with their streams in temporary directories, and waits until they agree.
    ///
    /// # Errors
    /// [`ServerError`] if there is no `nats-server`, or if the servers do not come up together.
    pub fn start(size: usize) -> Result<Self, ServerError> {
        let directory = |source| ServerError::Directory { program: "nats-server", source };
        let ports = super::ports::free_ports(size).map_err(directory)?;
        let routes: Vec<String> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let start = |(number, route): (usize, &String)| {
            let more = ["-n", &Self::name(number), "--cluster_name", "nearline", "--cluster", route];
            let mut more = more.map(String::from).to_vec();
            more.extend(["--routes".to_owned(), routes.join(",")]);
            ServerProcess::start(&process::NATS, Setup { more, ..Setup::default() })
        };
        let servers = routes.iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
        let deadline = Instant::now() + READY_TIMEOUT;
        for server in &servers {
            while !server.answers(JETSTREAM_IS_READY) {
                if Instant::now() > deadline {
                    return Err(server.not_ready("the cluster has no leader"));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(Self(servers))
    }

    /// Where clients connect to: all servers, separated by commas.
    pub fn url(&self) -> String {
        let urls: Vec<String> =
            self.0.iter().map(|server| format!("nats://127.0.0.1:{}", server.port())).collect();
        urls.join(",")
    }

    /// Name of a server, as the cluster's own answers have it.
    pub fn name(number: usize) -> String {
        format!("n{number}")
    }

    /// Kills a server (as SIGKILL does); its data stay.
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
