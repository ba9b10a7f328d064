//! What was chosen for the ranking, shared by all nodes. Who keeps the sums chooses, and stores it; all others take over
//! what is stored, and so does every node when it starts. Choosing takes seconds of a processor where nothing was
//! chosen before, and nodes that choose by themselves answer differently.
//!
//! Who chooses looks at what is stored as well: a store that was set back holds an earlier choice, and two nodes may take
//! themselves for the one that keeps the sums for a while. What is stored holds for all of them, and what is not there any more is
//! stored again.

use crate::aggregates_actor::SharedRole;
use bytes::Bytes;
use nearline_model::control::ownership::SumsRole;
use nearline_ports::{PortError, StateStore};
use nearline_ranking::tuning::Tuning;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Longest time between two looks at what is stored, and until what failed is tried again.
const LONGEST_INTERVAL: Duration = Duration::from_secs(5);
/// How long the store is waited for: solving waits, too.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long there is nothing to take over until a node chooses for itself alone: who keeps the sums may be of an earlier
/// version, which stores nothing, or the store may refuse it.
const ALONE_AFTER: Duration = Duration::from_secs(60);

/// [`share`](Self::share) and whatever gives [`applied`](Self::applied) what it chose are called one after the other, by one task.
pub(crate) struct SharedTuning {
    store: Arc<dyn StateStore>,
    role: SharedRole,
    interval: Duration,
    state: Mutex<State>,
}

struct State {
    current: Tuning,
    /// Whether this node keeps the sums, and has looked at what is stored since.
    chooses: bool,
    /// Whether `current` was chosen here, and is not stored.
    is_unstored: bool,
    /// Whether `current` is not what answers are given by, or may have to be chosen though nothing was learned.
    is_solve_owed: bool,
    /// From when on there was nothing to take over.
    nothing_since: Option<Instant>,
    /// Why what is stored cannot be shared, as it was told last.
    told: Option<String>,
    next_look: Instant,
}

impl SharedTuning {
    /// Looks as often as snapshots of the sums are stored, or oftener. Nothing is chosen until it has looked.
    pub fn new(store: Arc<dyn StateStore>, role: SharedRole, snapshot_interval: Duration) -> Self {
        let state = State {
            current: Tuning::default(),
            told: None,
            chooses: false,
            is_unstored: false,
            is_solve_owed: true,
            nothing_since: None,
            next_look: Instant::now(),
        };
        let interval = snapshot_interval.min(LONGEST_INTERVAL);
        Self { store, role, interval, state: Mutex::new(state) }
    }

    /// As it is now.
    pub fn current(&self) -> Tuning {
        self.state.lock().current.clone()
    }

    /// Whether this node chooses: for all, or for itself alone.
    pub fn may_choose(&self) -> bool {
        let state = self.state.lock();
        state.chooses || state.nothing_since.is_some_and(|since| since.elapsed() >= ALONE_AFTER)
    }

    /// Whether something is to be worked out though nothing was learned.
    pub fn is_solve_owed(&self) -> bool {
        self.state.lock().is_solve_owed
    }

    /// Answers are given by `tuning` from now on, which was chosen here if it is another one.
    pub fn applied(&self, tuning: &Tuning) {
        let mut state = self.state.lock();
        if state.current != *tuning {
            state.current = tuning.clone();
            state.is_unstored = true;
            state.next_look = Instant::now();
        }
        state.is_solve_owed = false;
    }

    /// Stores what was chosen here, or looks at what is stored, if it is time to. What fails is tried again later.
    pub async fn share(&self) {
        let keeps = self.role.get() == SumsRole::Keeps;
        let unstored = {
            let mut state = self.state.lock();
            state.chooses &= keeps;
            let now = Instant::now();
            if now < state.next_look {
                return;
            }
            state.next_look = now + self.interval;
            (state.chooses && state.is_unstored).then(|| Bytes::from(state.current.encode()))
        };
        let sharing = async {
            match unstored {
                Some(chosen) => self.store.save_tuning(chosen).await.map(|()| self.state.lock().stored()),
                None => match self.store.load_tuning().await {
                    Err(error) if error.is_transient() => Err(error),
                    found => {
                        self.state.lock().take_over(found, keeps);
                        Ok(())
                    }
                },
            }
        };
        match timeout(PATIENCE, sharing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if !error.is_transient() => self.state.lock().tell(Some(error.to_string())),
            Ok(Err(error)) => tracing::debug!(%error, "what was chosen for the ranking is shared later"),
            Err(_elapsed) => tracing::debug!("what was chosen for the ranking is shared later: no answer"),
        }
    }
}

impl State {
    fn stored(&mut self) {
        (self.is_unstored, self.nothing_since, self.told) = (false, None, None);
    }

    /// Takes over what was found, if that is a choice.
    fn take_over(&mut self, found: Result<Option<Bytes>, PortError>, keeps: bool) {
        // A store that cannot tell because its data is damaged may still take what is chosen.
        let is_refused = matches!(&found, Err(error) if !matches!(error, PortError::Damaged { .. }));
        let begins = keeps && !is_refused && !self.chooses;
        self.chooses = keeps && !is_refused;
        let found = match found {
            Ok(None) => Err(None),
            Ok(Some(stored)) => Tuning::decode(&stored).map_err(|error| Some(error.to_string())),
            Err(error) => Err(Some(error.to_string())),
        };
        match found {
            Ok(tuning) => {
                self.is_solve_owed |= tuning != self.current;
                self.current = tuning;
                self.stored();
            }
            Err(trouble) => {
                self.tell(trouble);
                self.nothing_since.get_or_insert_with(Instant::now);
                if self.current == Tuning::default() {
                    // It may be time to choose.
                    self.is_solve_owed |= begins;
                } else {
                    self.is_unstored = true;
                    if self.chooses {
                        self.next_look = Instant::now();
                    }
                }
            }
        }
    }

    /// Tells of trouble, once.
    fn tell(&mut self, trouble: Option<String>) {
        if let Some(error) = trouble.as_ref().filter(|_| self.told != trouble) {
            tracing::warn!(%error, "what was chosen for the ranking is not shared with other nodes");
        }
        self.told = trouble;
    }
}
