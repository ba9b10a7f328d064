//! The network between nodes and servers: calls are delayed, lost, repeated and overtaken, and an
//! answer may be lost after the call was carried out.
//!
//! A call travels on its own: what a node sent before it was killed still arrives.

use nearline_audience::dice::Dice;
use nearline_ports::PortError;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

/// How long a caller waits for an answer.
const CALL_TIMEOUT: Duration = Duration::from_millis(120);
/// Longest time that a slow call takes each way, in milliseconds.
const SLOW_MS: u64 = 90;

/// A server, by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Log, dead letters, and the registry of nodes.
    Log,
    /// State.
    Store,
}

impl Server {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Store => "store",
        }
    }
}

/// Whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A node, by number.
    Node(usize),
    /// A publisher.
    Publisher,
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Node(number) => write!(f, "node {number}"),
            Self::Publisher => write!(f, "publisher"),
        }
    }
}

/// What is called.
pub trait Called {
    /// The next calls are of `caller`.
    fn called_by(&mut self, caller: Caller);
}

/// A call on its way.
pub struct Envelope<S> {
    caller: Caller,
    server: Server,
    call: Box<dyn Call<S>>,
}

impl<S: Called> Envelope<S> {
    fn apply(&mut self, servers: &RefCell<S>) {
        let mut servers = servers.borrow_mut();
        servers.called_by(self.caller);
        self.call.apply(&mut servers);
    }
}

trait Call<S>: Send {
    fn apply(&mut self, servers: &mut S);
    fn answer(&mut self);
}

struct TypedCall<T, F> {
    apply: F,
    outcome: Option<Result<T, PortError>>,
    reply: Option<oneshot::Sender<Result<T, PortError>>>,
}

impl<S, T: Send, F: FnMut(&mut S) -> Result<T, PortError> + Send> Call<S> for TypedCall<T, F> {
    fn apply(&mut self, servers: &mut S) {
        let outcome = (self.apply)(servers);
        self.outcome.get_or_insert(outcome);
    }

    fn answer(&mut self) {
        if let (Some(outcome), Some(reply)) = (self.outcome.take(), self.reply.take()) {
            let _gone = reply.send(outcome);
        }
    }
}

/// One caller's way to one server.
pub struct Link<S> {
    caller: Caller,
    server: Server,
    network: mpsc::UnboundedSender<Envelope<S>>,
    patience: Duration,
}

impl<S> Clone for Link<S> {
    fn clone(&self) -> Self {
        Self { network: self.network.clone(), ..*self }
    }
}

impl<S> Link<S> {
    /// A link of `caller` to `server`.
    pub fn new(network: &mpsc::UnboundedSender<Envelope<S>>, caller: Caller, server: Server) -> Self {
        Self { caller, server, network: network.clone(), patience: CALL_TIMEOUT }
    }

    /// The same, where a call may take as long as `patience`.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Calls the server. An error says nothing of whether `apply` was, or will be, carried out.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] where no answer came, else what `apply` gave.
    pub async fn call<T: Send + 'static>(
        &self,
        apply: impl FnMut(&mut S) -> Result<T, PortError> + Send + 'static,
    ) -> Result<T, PortError> {
        let (reply, answer) = oneshot::channel();
        let call = Box::new(TypedCall { apply, outcome: None, reply: Some(reply) });
        let envelope = Envelope { caller: self.caller, server: self.server, call };
        if self.network.send(envelope).is_err() {
            return Err(self.unavailable("the world has ended"));
        }
        match timeout(self.patience, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_dropped)) => Err(self.unavailable("connection reset")),
            Err(_elapsed) => Err(self.unavailable("no answer in time")),
        }
    }

    fn unavailable(&self, detail: &str) -> PortError {
        PortError::Unavailable {
            what: format!("simulated {}", self.server.name()),
            detail: detail.to_owned(),
        }
    }
}

/// What the network does to calls now.
#[derive(Debug, Default)]
pub struct Weather {
    trouble_per_mille: u64,
    slow_per_mille: u64,
    down: [Option<Instant>; 2],
    /// How often each server was started again.
    restarts: [u64; 2],
    cuts: Vec<(Caller, Server, Instant)>,
}

impl Weather {
    /// Of a thousand calls `trouble_per_mille` each are lost, lose their answer or are repeated, and
    /// `slow_per_mille` each take long there or back.
    pub fn of(trouble_per_mille: u64, slow_per_mille: u64) -> Self {
        Self { trouble_per_mille, slow_per_mille, ..Self::default() }
    }

    /// `server` takes no calls for a while.
    pub fn take_down(&mut self, server: Server, for_ms: u64) {
        self.down[server as usize] = Some(Instant::now() + Duration::from_millis(for_ms));
    }

    /// `server` is started again: connections are gone, with all that was on its way on them.
    pub fn restart(&mut self, server: Server) {
        self.restarts[server as usize] += 1;
    }

    /// `caller` does not reach `server` for a while.
    pub fn cut(&mut self, caller: Caller, server: Server, for_ms: u64) {
        self.cuts.push((caller, server, Instant::now() + Duration::from_millis(for_ms)));
    }

    /// Nothing is wrong any more.
    pub fn clear_up(&mut self) {
        *self = Self { restarts: self.restarts, ..Self::default() };
    }

    fn reaches(&mut self, caller: Caller, server: Server) -> bool {
        let now = Instant::now();
        self.cuts.retain(|(_, _, until)| *until > now);
        self.down[server as usize].is_none_or(|until| until <= now)
            && !self.cuts.iter().any(|cut| (cut.0, cut.1) == (caller, server))
    }
}

/// What becomes of one call.
struct Fate {
    there: Duration,
    back: Duration,
    arrives: bool,
    repeated_after: Option<Duration>,
    answered: bool,
    /// A lost call's connection is reset at once; else the caller waits in vain.
    reset: bool,
}

impl Fate {
    fn draw(weather: &Weather, dice: &mut Dice) -> Self {
        let leg = |dice: &mut Dice| {
            let slow = dice.chance(weather.slow_per_mille);
            Duration::from_millis(dice.within(0, if slow { SLOW_MS } else { 2 }))
        };
        let (there, back) = (leg(dice), leg(dice));
        let trouble = weather.trouble_per_mille;
        let repeated = dice.chance(trouble);
        Self {
            there,
            back,
            arrives: !dice.chance(trouble),
            repeated_after: repeated.then(|| Duration::from_millis(dice.within(0, 80))),
            answered: !dice.chance(trouble),
            reset: dice.chance(500),
        }
    }
}

/// Carries calls until the world ends.
pub async fn carry<S: Called + 'static>(
    mut calls: mpsc::UnboundedReceiver<Envelope<S>>,
    weather: Rc<RefCell<Weather>>,
    servers: Rc<RefCell<S>>,
    mut dice: Dice,
) {
    while let Some(envelope) = calls.recv().await {
        let fate = Fate::draw(&weather.borrow(), &mut dice);
        tokio::task::spawn_local(deliver(envelope, fate, weather.clone(), servers.clone()));
    }
}

async fn deliver<S: Called>(
    mut envelope: Envelope<S>,
    fate: Fate,
    weather: Rc<RefCell<Weather>>,
    servers: Rc<RefCell<S>>,
) {
    let restarts = weather.borrow().restarts[envelope.server as usize];
    let reaches = |envelope: &Envelope<S>| {
        let mut weather = weather.borrow_mut();
        let is_connected = weather.restarts[envelope.server as usize] == restarts;
        is_connected && weather.reaches(envelope.caller, envelope.server)
    };
    sleep(fate.there).await;
    let arrives = fate.arrives && reaches(&envelope);
    if arrives {
        envelope.apply(&servers);
        sleep(fate.back).await;
    }
    let answered = arrives && fate.answered && reaches(&envelope);
    if answered {
        envelope.call.answer();
    }
    if let Some(after) = fate.repeated_after.filter(|_| arrives) {
        sleep(after).await;
        if reaches(&envelope) {
            envelope.apply(&servers);
        }
    }
    if !answered && !fate.reset {
        sleep(CALL_TIMEOUT).await;
    }
}
