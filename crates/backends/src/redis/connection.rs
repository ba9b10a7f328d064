//! Connections to Redis, on a runtime of their own: one for commits, one for reads, so that a read
//! does not wait behind a large commit.

use super::RedisSettings;
use super::failure::{Failure, explain, node_of_a_cluster, not_connected};
use super::link::{Link, Target};
use super::scripts::Script;
use futures_util::future::{BoxFuture, join_all};
use nearline_ports::PortError;
use redis::{Arg, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind, Value};
use std::time::Duration;
use tokio::runtime::Runtime;

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
    writes: Link,
    reads: Link,
    runtime: Option<Runtime>,
}

impl Connections {
    pub(super) async fn connect(settings: &RedisSettings) -> Result<Self, PortError> {
        let (target, what) = Target::of(settings)?;
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
        let connecting = runtime.spawn(async move {
            let writes = target.connect(timeout).await?;
            let mut reads = target.connect(timeout).await?;
            let is_misused = reads.is_misused_node().await;
            Ok::<_, RedisError>((writes, reads, is_misused))
        });
        let connected = match connecting.await {
            Ok(Ok((_, _, true))) => Err(node_of_a_cluster(&what)),
            Ok(Ok((writes, reads, false))) => Ok((writes, reads)),
            Ok(Err(error)) => Err(not_connected(&what, &error)),
            Err(error) => Err(unavailable(error.to_string())),
        };
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
        T: FromRedisValue,
    {
        let mut link = self.lane(lane);
        let run = async move {
            let outcome = command.query_async(&mut link).await;
            explain(outcome, link, || vec![argument(&command, 1)]).await
        };
        self.read(doing, self.spawn(doing, run).await?)
    }

    /// Runs several commands on keys of one partition, one after the other; the first argument of each
    /// is its key. Not as a transaction: a cluster's client does not find its way from one to a slot
    /// that has moved.
    pub(super) async fn run_all<T>(&self, lane: Lane, doing: &str, pipeline: Pipeline) -> Result<T, PortError>
    where
        T: FromRedisValue,
    {
        let mut link = self.lane(lane);
        let run = async move {
            let outcome = pipeline.query_async(&mut link).await;
            let keys = || pipeline.cmd_iter().map(|command| argument(command, 1)).collect();
            explain(outcome, link, keys).await
        };
        self.read(doing, self.spawn(doing, run).await?)
    }

    /// Runs commands on keys of any partitions, in no order; the first argument of each is its key.
    pub(super) async fn run_each(
        &self,
        lane: Lane,
        doing: &str,
        commands: Vec<Cmd>,
    ) -> Result<(), PortError> {
        let link = self.lane(lane);
        let run = async move {
            let each = commands.iter().map(|command| {
                let mut link = link.clone();
                async move {
                    let outcome = command.query_async(&mut link).await;
                    explain(outcome, link, || vec![argument(command, 1)]).await
                }
            });
            // One that fails keeps no other from its shard.
            join_all(each).await.into_iter().collect::<Result<Vec<_>, _>>().map(Value::Array)
        };
        self.spawn(doing, run).await.map(drop)
    }

    /// Runs a script; `fill` adds the number of keys, the keys and the arguments.
    pub(super) async fn run_script<T>(
        &self,
        doing: &str,
        script: &'static Script,
        fill: impl Fn(&mut Cmd) + Send + 'static,
    ) -> Result<T, PortError>
    where
        T: FromRedisValue,
    {
        let run = evaluated(self.lane(Lane::Writes), script, Box::new(fill));
        self.read(doing, self.spawn(doing, run).await?)
    }

    fn lane(&self, lane: Lane) -> Link {
        match lane {
            Lane::Writes => self.writes.clone(),
            Lane::Reads => self.reads.clone(),
        }
    }

    /// What an answer says.
    fn read<T: FromRedisValue>(&self, doing: &str, answer: Value) -> Result<T, PortError> {
        redis::from_redis_value(answer).map_err(|error| Failure::of(error.into()).describe(&self.what, doing))
    }

    /// On the own runtime, so that reconnecting stays there too. What is asked for is read later, so that this is compiled
    /// for one kind of answer.
    async fn spawn(
        &self,
        doing: &str,
        run: impl Future<Output = Result<Value, Failure>> + Send + 'static,
    ) -> Result<Value, PortError> {
        let runtime = self.runtime.as_ref().expect("the runtime is taken only when dropped");
        let run: BoxFuture<'static, _> = Box::pin(run);
        match runtime.spawn(run).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(failure)) => Err(failure.describe(&self.what, doing)),
            Err(error) => {
                Err(PortError::Unavailable { what: self.what.clone(), detail: format!("{doing}: {error}") })
            }
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

/// What a script answers.
async fn evaluated(
    mut link: Link,
    script: &'static Script,
    fill: Box<dyn Fn(&mut Cmd) + Send>,
) -> Result<Value, Failure> {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.hash());
    fill(&mut command);
    let mut outcome = command.query_async(&mut link).await;
    if outcome.as_ref().is_err_and(is_unknown_script) {
        // With its text, as that goes where the keys are: whichever node this is knows it then.
        command = redis::cmd("EVAL");
        command.arg(script.code());
        fill(&mut command);
        outcome = command.query_async(&mut link).await;
    }
    let keys = || {
        let count = argument(&command, 2).parse().unwrap_or(0);
        (3..3 + count).map(|index| argument(&command, index)).collect()
    };
    explain(outcome, link, keys).await
}

fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn argument(command: &Cmd, index: usize) -> String {
    match command.args_iter().nth(index) {
        Some(Arg::Simple(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
