//! The supervisor of one partition: builds its actor, notices its end, and does about it what the
//! remediation policy decides.
//!
//! Not actix's `Supervisor`: that one does not restart after a panic, and restarts a stopping actor
//! without a pause. Here each actor runs as a task of its own whose end is awaited; the state is
//! always acquired anew from the store, under a higher epoch, so that whatever is left of the old
//! actor cannot commit. Supervisors live on a thread of their own, which no actor can block.

mod build;
mod watch;

use crate::aggregates_actor::AggregatesActor;
use crate::node::SupervisedNode;
use crate::partition_actor::{Ended, PartitionActor};
use crate::partition_handle::PartitionHandle;
use crate::progress::{Incarnation, PartitionState};
use crate::remediations::{Begun, Ticket};
use crate::settings::EngineSettings;
use actix::prelude::*;
use nearline_model::Position;
use nearline_model::check_invariant;
use nearline_model::control::remediation::{Action, FailureHistory, Fault, Standing};
use nearline_model::quarantine::Quarantined;
use nearline_ports::{PortError, Ports};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch as watched;

/// What a supervisor needs.
pub struct Supervisor {
    /// The outside.
    pub ports: Ports,
    /// Settings of the engine.
    pub settings: Arc<EngineSettings>,
    /// The partition.
    pub handle: Arc<PartitionHandle>,
    /// Where deltas go.
    pub aggregates: Addr<AggregatesActor>,
    /// What all supervisors share.
    pub node: Arc<SupervisedNode>,
    /// Turns true when the partition is given up here: an actor that ends is not built again.
    pub stopping: watched::Receiver<bool>,
}

/// How it came that a partition is not run here any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was given up, or another owner took over.
    Stopped,
    /// It fails here again and again: another node is to try.
    GivenAway,
}

/// A life that ended, or never began.
struct Death {
    fault: Fault,
    detail: String,
    /// What is done about it, if that is decided already.
    action: Option<Action>,
    /// Whom to tell that another has taken over, if it may hear it.
    zombie: Option<Addr<PartitionActor>>,
}

impl Death {
    fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into(), action: None, zombie: None }
    }

    fn of(error: &PortError) -> Self {
        let fault = match error {
            PortError::Fenced { .. } => Fault::Fenced,
            PortError::UnexpectedPosition { .. } => Fault::RolledBack,
            error if error.is_transient() => Fault::Unavailable,
            _ => Fault::Unusable,
        };
        Self::new(fault, error.to_string())
    }

    /// `None`: it was asked to end.
    fn after(ended: Ended) -> Option<Self> {
        match ended {
            Ended::Stopped => None,
            Ended::Failed(error) => Some(Self::of(&error)),
            Ended::Panicked { position: Some(position), message } => {
                let detail = format!("panic while folding position {position}: {message}");
                Some(Self::new(Fault::Poisoned { position, message }, detail))
            }
            Ended::Panicked { position: None, message } => {
                Some(Self::new(Fault::Panicked, format!("panic: {message}")))
            }
        }
    }
}

/// What a supervisor remembers from one life of its actor to the next.
#[derive(Default)]
struct Memory {
    history: FailureHistory,
    /// Whether what earlier processes knew was read.
    is_complete: bool,
    /// The event to put into quarantine before the next life.
    condemned: Option<Quarantined>,
    /// The remediation that is under way.
    ticket: Option<Ticket>,
    /// Whether it is a hold, for this fault: each attempt to end it belongs to it.
    holding_for: Option<&'static str>,
    /// Whether the last life came to its end by what cannot be used, most likely the log that it read.
    lives_end_unusable: bool,
}

impl Supervisor {
    /// Keeps the partition's actor alive until it is given up here or another owner takes over.
    pub async fn run(&self) -> Outcome {
        let mut memory = Memory::default();
        let mut outcome = Outcome::Stopped;
        while let Some(death) = self.live_once(&mut memory).await {
            let before = self.handle.standing();
            self.handle.take_over();
            if let Some(zombie) = &death.zombie {
                zombie.do_send(crate::partition_actor::Retire);
            }
            if self.is_stopping() {
                break;
            }
            memory.history.suspects.acquit(self.handle.committed.load());
            let action = death.action.unwrap_or_else(|| self.judge(&mut memory, &death.fault));
            let bound_ms = self.settings.remediation.longest_wait_ms();
            let wait_ms = action.wait_ms().unwrap_or_default();
            check_invariant!(I6, wait_ms <= bound_ms, "a wait of {wait_ms} ms, the longest is {bound_ms} ms");
            self.record(&mut memory, &death, action, before);
            if !self.carry_out(&mut memory, &death, action).await || self.is_stopping() {
                if action == Action::GiveAway {
                    outcome = Outcome::GivenAway;
                }
                break;
            }
        }
        self.handle.take_over();
        self.handle.set_state(PartitionState::Stopped);
        self.finish(&mut memory);
        outcome
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    fn judge(&self, memory: &mut Memory, fault: &Fault) -> Action {
        let (mut node, now_ms) = (self.node.history.lock(), self.node.elapsed_ms());
        memory.history.can_give_away = self.handle.can_give_away.load(Relaxed);
        memory.history.judge(&mut node, &self.settings.remediation, fault, now_ms, crate::retry::random())
    }

    fn record(&self, memory: &mut Memory, death: &Death, action: Action, before: Standing) {
        *self.handle.last_failure.lock() = Some(death.detail.clone());
        let holding_for = matches!(action, Action::Hold { .. }).then(|| death.fault.code());
        if holding_for.is_some() && memory.holding_for == holding_for {
            tracing::debug!(partition = %self.handle.partition, detail = death.detail, "held still");
            return;
        }
        self.finish(memory);
        memory.holding_for = holding_for;
        let position = match death.fault {
            Fault::Poisoned { position, .. } => Some(position),
            _ => None,
        };
        let begun = Begun {
            partition: self.handle.partition,
            fault: death.fault.code(),
            detail: death.detail.clone(),
            action,
            position,
            before,
        };
        memory.ticket = Some(self.node.remediations.begin(begun));
    }

    /// The remediation under way has come to its end, or to its next step.
    fn finish(&self, memory: &mut Memory) {
        memory.holding_for = None;
        if let Some(ticket) = memory.ticket.take() {
            self.node.remediations.finish(ticket, self.handle.standing());
        }
    }

    /// Whether the partition goes on here.
    async fn carry_out(&self, memory: &mut Memory, death: &Death, action: Action) -> bool {
        let rebuilding = match action {
            Action::Restart { .. } | Action::Replace { .. } => true,
            Action::Quarantine { position, attempts, .. } => {
                check_invariant!(
                    I6,
                    attempts > 0,
                    "position {position} is stepped over though it crashed nobody"
                );
                let message = match &death.fault {
                    Fault::Poisoned { message, .. } => message,
                    _ => &death.detail,
                };
                memory.condemned =
                    Some(Quarantined::new(position, attempts, message, self.node.remediations.now_ms()));
                true
            }
            Action::Exit { .. } => {
                let detail = format!("partition {}: {}", self.handle.partition, death.detail);
                tracing::error!(
                    reason = detail,
                    "this node cannot help itself any more; the process is to end"
                );
                self.node.exit.send_replace(Some(detail));
                true
            }
            Action::Hold { .. } | Action::RecreateReader => false,
            Action::Stop => return false,
            Action::GiveAway => {
                // The next owner goes on counting.
                self.remember_suspects(memory).await;
                return false;
            }
        };
        if rebuilding {
            let reason = death.fault.code();
            metrics::counter!("nearline_partition_restarts_total", "reason" => reason).increment(1);
            self.handle.restarts.fetch_add(1, Relaxed);
            self.handle.set_state(PartitionState::Restarting);
        } else {
            self.handle.set_state(PartitionState::Holding);
        }
        let wait = Duration::from_millis(action.wait_ms().unwrap_or(0));
        let mut stopping = self.stopping.clone();
        // Whoever is to take the partition over does not wait for this one's patience.
        let waiting = async {
            tokio::select! {
                biased;
                () = tokio::time::sleep(wait) => {}
                Ok(_) = stopping.wait_for(|stopping| *stopping) => {}
            }
        };
        if let Fault::Poisoned { .. } = death.fault {
            tokio::join!(waiting, self.remember_suspects(memory));
        } else {
            waiting.await;
        }
        true
    }

    /// Keeps the suspects for the next process. Best effort: this one has them in memory.
    async fn remember_suspects(&self, memory: &Memory) {
        let epoch = self.handle.epoch.load();
        let keeping = self.ports.quarantine.suspect(self.handle.partition, epoch, &memory.history.suspects);
        let partition = self.handle.partition;
        match tokio::time::timeout(SUSPECT_DEADLINE, keeping).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%partition, %error, "the suspects were not stored"),
            Err(_) => tracing::warn!(%partition, "the suspects were not stored in time"),
        }
    }
}

/// Longest time that a restart waits for the suspects to be stored.
const SUSPECT_DEADLINE: Duration = Duration::from_millis(250);

/// A life of the actor, as the supervisor sees it.
struct Life {
    worker: Arc<crate::workers::Worker>,
    /// Changing it recreates the reader; dropping it ends the reader.
    reader: watched::Sender<u64>,
    live: tokio::sync::oneshot::Receiver<()>,
    ended: tokio::sync::oneshot::Receiver<Ended>,
    incarnation: Incarnation,
    started_at: Position,
}
