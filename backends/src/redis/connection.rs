//! Connections to Redis, on a runtime of their own: one for commits, one for reads, so that a read
//! does not wait behind a large commit.

use super::RedisSettings;
use super::scripts::Script;
use nearline_actors::ports::PortError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Arg, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind};
use std::time::Duration;
use tokio::runtime::Runtime;

const RECONNECT_DELAY: Duration = Duration::from_millis(20);
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(200);
const RECONNECT_ATTEMPTS: usize = 4;

/// Which connection carries a command.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    /// Commits and other writes.
    Writes,
    /// Everything that someone waits for.
    Reads,
}

/// Both connections and their runtime.
pub(super) struct Connections {
    what: String,
    writes: ConnectionManager,
    reads: ConnectionManager,
    runtime: Option<Runtime>,
}

impl Connections {
    pub(super) async fn connect(settings: &RedisSettings) -> Result<Self, PortError> {
        let client = redis::Client::open(settings.url.as_str()).map_err(|error| {
            PortError::Misconfigured(format!(
                "the URL of Redis cannot be used: {error}; expected redis://HOST:PORT"
            ))
        })?;
        let what = format!("Redis at {}", client.get_connection_info().addr());
        let unavailable = |detail: String| PortError::Unavailable {
            what: what.clone(),
            detail: format!("connecting: {detail}"),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("nearline-redis")
            .enable_all()
            .build()
            .map_err(|error| unavailable(error.to_string()))?;
        let timeout = Duration::from_millis(settings.timeout_ms);
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout))
            .set_min_delay(RECONNECT_DELAY)
            .set_max_delay(RECONNECT_DELAY_MAX)
            .set_number_of_retries(RECONNECT_ATTEMPTS);
        let connecting = runtime.spawn(async move {
            let writes = ConnectionManager::new_with_config(client.clone(), config.clone()).await?;
            let reads = ConnectionManager::new_with_config(client, config).await?;
            Ok::<_, RedisError>((writes, reads))
        });
        let connected = connecting.await;
        let connected = connected.map_err(|error| unavailable(error.to_string()));
        let connected = connected.and_then(|result| result.map_err(|error| unavailable(error.to_string())));
        match connected {
            Ok((writes, reads)) => Ok(Self { what, writes, reads, runtime: Some(runtime) }),
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// Name of the server, for errors.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// Runs one command; its first argument is its key.
    pub(super) async fn run<T>(&self, lane: Lane, doing: &str, command: Cmd) -> Result<T, PortError>
    where
        T: FromRedisValue + Send + 'static,
    {
        let mut connection = self.lane(lane);
        let run = async move {
            let outcome = command.query_async(&mut connection).await;
            explain(outcome, connection, || vec![argument(&command, 1)]).await
        };
        self.spawn(doing, run).await
    }

    /// Runs several commands at once; the first argument of each is its key.
    pub(super) async fn run_all<T>(&self, lane: Lane, doing: &str, pipeline: Pipeline) -> Result<T, PortError>
    where
        T: FromRedisValue + Send + 'static,
    {
        let mut connection = self.lane(lane);
        let run = async move {
            let outcome = pipeline.query_async(&mut connection).await;
            let keys = || pipeline.cmd_iter().map(|command| argument(command, 1)).collect();
            explain(outcome, connection, keys).await
        };
        self.spawn(doing, run).await
    }

    /// Runs a script; `fill` adds the number of keys, the keys and the arguments.
    pub(super) async fn run_script<T>(
        &self,
        doing: &str,
        script: &'static Script,
        fill: impl FnOnce(&mut Cmd) + Send + 'static,
    ) -> Result<T, PortError>
    where
        T: FromRedisValue + Send + 'static,
    {
        let mut connection = self.lane(Lane::Writes);
        let run = async move {
            let mut command = redis::cmd("EVALSHA");
            command.arg(script.hash());
            fill(&mut command);
            let outcome = match command.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    let mut load = redis::cmd("SCRIPT");
                    load.arg("LOAD").arg(script.code());
                    match load.query_async::<String>(&mut connection).await {
                        Ok(_) => command.query_async(&mut connection).await,
                        Err(error) => Err(error),
                    }
                }
                outcome => outcome,
            };
            let keys = || {
                let count = argument(&command, 2).parse().unwrap_or(0);
                (3..3 + count).map(|index| argument(&command, index)).collect()
            };
            explain(outcome, connection, keys).await
        };
        self.spawn(doing, run).await
    }

    fn lane(&self, lane: Lane) -> ConnectionManager {
        match lane {
            Lane::Writes => self.writes.clone(),
            Lane::Reads => self.reads.clone(),
        }
    }

    /// On the own runtime, so that reconnecting stays there too.
    async fn spawn<T: Send + 'static>(
        &self,
        doing: &str,
        run: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, PortError> {
        let runtime = self.runtime.as_ref().expect("the runtime is taken only when dropped");
        match runtime.spawn(run).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(self.failed(doing, &failure)),
            Err(error) => {
                Err(PortError::Unavailable { what: self.what.clone(), detail: format!("{doing}: {error}") })
            }
        }
    }

    fn failed(&self, doing: &str, Failure { error, misused }: &Failure) -> PortError {
        let (what, detail) = (self.what.clone(), format!("{doing}: {error}"));
        if let Some(misused) = misused {
            let detail = format!("{detail}; {misused}: written by another program? Name another key prefix");
            return PortError::Damaged { what, detail };
        }
        match error.kind() {
            ErrorKind::UnexpectedReturnType | ErrorKind::Parse => PortError::Damaged { what, detail },
            ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => {
                PortError::Misconfigured(format!("{what} refuses the configured access: {detail}"))
            }
            ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot) => {
                PortError::Misconfigured(format!("{what} refuses what Nearline does: {detail}"))
            }
            // Out of memory, read only, loading, failing over, slow, away: all of them pass.
            _ => PortError::Unavailable { what, detail },
        }
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An error of Redis; if it is that a key is of another type than it should be, which one.
struct Failure {
    error: RedisError,
    misused: Option<String>,
}

/// Asks for the types of `keys` if one of them is of another type than the command needs: Redis does
/// not say which.
async fn explain<T>(
    outcome: Result<T, RedisError>,
    mut connection: ConnectionManager,
    keys: impl FnOnce() -> Vec<String>,
) -> Result<T, Failure> {
    let error = match outcome {
        Ok(answer) => return Ok(answer),
        Err(error) if !error.to_string().contains("WRONGTYPE") => {
            return Err(Failure { error, misused: None });
        }
        Err(error) => error,
    };
    let mut misused = Vec::new();
    for key in keys() {
        let found: String =
            redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.unwrap_or_default();
        let expected = type_of(&key);
        if found != "none" && found != expected {
            misused.push(format!("key {key} is a {found}, not a {expected}"));
        }
    }
    Err(Failure { error, misused: Some(misused.join(", ")) })
}

/// Type of the values that the adapter stores under `key`.
fn type_of(key: &str) -> &'static str {
    match key.rsplit(':').next() {
        Some("symbols") => "list",
        Some("outbox") => "stream",
        _ => "hash",
    }
}

fn argument(command: &Cmd, index: usize) -> String {
    match command.args_iter().nth(index) {
        Some(Arg::Simple(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
