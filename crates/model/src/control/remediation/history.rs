//! Histories of failures, and what follows from them.

use super::{Action, Fault, RemediationSettings};
use crate::quarantine::Suspects;
use std::collections::VecDeque;

/// Failures of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureHistory {
    /// Events that crashed the actor and are not folded yet.
    pub suspects: Suspects,
    /// Events in quarantine.
    pub quarantined: usize,
    /// Whether another node would take the partition.
    pub can_give_away: bool,
    /// Rebuilds in a row.
    rebuilds: u32,
    /// Attempts in a row to reach what is away.
    holds: u32,
    /// Recreations of the reader in a row.
    recreations: u32,
    last_recreation_ms: u64,
    live_since_ms: Option<u64>,
    /// Since when the partition could not be taken over at all.
    away_since_ms: Option<u64>,
}

/// Rebuilds of all partitions of a node within the window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeHistory {
    rebuilds_at_ms: VecDeque<u64>,
}

impl NodeHistory {
    /// Notes a rebuild at `now_ms`; whether there are too many now.
    fn is_exhausted_by_rebuild(&mut self, settings: &RemediationSettings, now_ms: u64) -> bool {
        while self
            .rebuilds_at_ms
            .front()
            .is_some_and(|at| now_ms.saturating_sub(*at) >= settings.node_window_ms)
        {
            self.rebuilds_at_ms.pop_front();
        }
        // One more than the bound says all there is to know.
        if self.rebuilds_at_ms.len() > settings.node_rebuilds {
            self.rebuilds_at_ms.pop_front();
        }
        self.rebuilds_at_ms.push_back(now_ms);
        self.rebuilds_at_ms.len() > settings.node_rebuilds
    }
}

impl FailureHistory {
    /// The actor is live.
    pub fn went_live(&mut self, now_ms: u64) {
        self.live_since_ms = Some(now_ms);
        self.away_since_ms = None;
        self.holds = 0;
    }

    /// What is to be done about `fault`, which came at `now_ms`. `seed` decides the jitter.
    pub fn judge(
        &mut self,
        node: &mut NodeHistory,
        settings: &RemediationSettings,
        fault: &Fault,
        now_ms: u64,
        seed: u64,
    ) -> Action {
        match fault {
            Fault::Fenced => return Action::Stop,
            Fault::ReaderStalled => {
                if now_ms.saturating_sub(self.last_recreation_ms) >= settings.recovered_after_ms {
                    self.recreations = 0;
                }
                if self.recreations < settings.reader_recreations {
                    self.recreations += 1;
                    self.last_recreation_ms = now_ms;
                    return Action::RecreateReader;
                }
                self.recreations = 0;
            }
            Fault::Unavailable => {
                self.live_since_ms = None;
                if self.is_for_others(settings, now_ms) {
                    return Action::GiveAway;
                }
                self.holds = self.holds.saturating_add(1);
                let bound = grown(settings.hold_backoff_ms, settings.hold_backoff_max_ms, self.holds);
                return Action::Hold { wait_ms: jittered(bound, seed) };
            }
            Fault::Unusable => {
                self.live_since_ms = None;
                if self.is_for_others(settings, now_ms) {
                    return Action::GiveAway;
                }
                return Action::Hold { wait_ms: jittered(settings.restart_backoff_max_ms, seed) };
            }
            Fault::Poisoned { .. }
            | Fault::Panicked
            | Fault::Hung
            | Fault::Blocked { .. }
            | Fault::RolledBack => {}
        }
        self.rebuild(node, settings, fault, now_ms, seed)
    }

    /// Whether the partition has failed to go live here for so long that another node is to try.
    fn is_for_others(&mut self, settings: &RemediationSettings, now_ms: u64) -> bool {
        let since = *self.away_since_ms.get_or_insert(now_ms);
        let is_for_others = self.can_give_away && now_ms.saturating_sub(since) >= settings.give_away_after_ms;
        if is_for_others {
            self.away_since_ms = None;
        }
        is_for_others
    }

    fn rebuild(
        &mut self,
        node: &mut NodeHistory,
        settings: &RemediationSettings,
        fault: &Fault,
        now_ms: u64,
        seed: u64,
    ) -> Action {
        let lived_ms = self.live_since_ms.take().map_or(0, |since| now_ms.saturating_sub(since));
        if lived_ms >= settings.recovered_after_ms {
            self.rebuilds = 0;
        }
        self.rebuilds = self.rebuilds.saturating_add(1);
        let bound = grown(settings.restart_backoff_ms, settings.restart_backoff_max_ms, self.rebuilds);
        let wait_ms = jittered(bound, seed);
        // A crash is remembered even where something else is done about it now.
        let crashes = match fault {
            Fault::Poisoned { position, message } => {
                Some((*position, self.suspects.crashed(*position, message)))
            }
            _ => None,
        };
        if let Fault::Blocked { leaked_threads } = fault
            && *leaked_threads > settings.leaked_threads
        {
            return Action::Exit { wait_ms: jittered(settings.restart_backoff_max_ms, seed) };
        }
        if node.is_exhausted_by_rebuild(settings, now_ms) {
            if self.can_give_away {
                return Action::GiveAway;
            }
            return Action::Exit { wait_ms: jittered(settings.restart_backoff_max_ms, seed) };
        }
        match (fault, crashes) {
            (_, Some((position, attempts))) if attempts >= settings.poison_attempts.max(1) => {
                if self.quarantined >= settings.quarantine_max {
                    // So many poisonous events are a mistake in the fold: none is given up any more.
                    return Action::Hold { wait_ms: jittered(settings.restart_backoff_max_ms, seed) };
                }
                Action::Quarantine { position, attempts, wait_ms }
            }
            (Fault::Hung | Fault::Blocked { .. }, _) => Action::Replace { wait_ms },
            _ => Action::Restart { wait_ms },
        }
    }
}

/// `first_ms` doubled with every attempt after the first, up to `max_ms`.
fn grown(first_ms: u64, max_ms: u64, attempt: u32) -> u64 {
    let doublings = attempt.saturating_sub(1).min(62);
    first_ms.max(1).saturating_mul(1 << doublings).min(max_ms.max(1))
}

/// Between half of the bound and all of it, so that many partitions do not try in step.
fn jittered(bound_ms: u64, seed: u64) -> u64 {
    let half = bound_ms / 2;
    bound_ms - half + seed % (half + 1)
}
