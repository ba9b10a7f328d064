//! What was chosen for the ranking, shared by all nodes. Who keeps the sums chooses, and stores it; all others take over
//! what is stored, and so does every node when it starts. Choosing takes seconds of a processor where nothing was
//! chosen before, and nodes that choose by themselves answer differently.

use crate::aggregates_actor::SharedRole;
use bytes::Bytes;
use nearline_model::control::ownership::SumsRole;
use nearline_ports::{PortError, StateStore};
use nearline_ranking::tuning::Tuning;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Longest time between two looks at what is stored, and until what failed is tried again.
const LONGEST_INTERVAL: Duration = Duration::from_secs(5);

pub(crate) struct SharedTuning {
    store: Arc<dyn StateStore>,
    role: SharedRole,
    interval: Duration,
    state: Mutex<State>,
}

struct State {
    current: Tuning,
    /// As it was found or stored last.
    stored: Option<Bytes>,
    /// Whether this node keeps the sums, and has looked at what is stored since.
    keeps: bool,
    /// Whether answers are not given by `current` yet, or it is not known whether it should be chosen anew.
    is_news: bool,
    next_look: Instant,
}

impl SharedTuning {
    /// Looks as often as snapshots of the sums are stored, or oftener. Nothing is chosen until it has looked.
    pub fn new(store: Arc<dyn StateStore>, role: SharedRole, snapshot_interval: Duration) -> Self {
        let state = State {
            current: Tuning::default(),
            stored: None,
            keeps: false,
            is_news: true,
            next_look: Instant::now(),
        };
        let interval = snapshot_interval.min(LONGEST_INTERVAL);
        Self { store, role, interval, state: Mutex::new(state) }
    }

    /// As it is now.
    pub fn current(&self) -> Tuning {
        self.state.lock().current.clone()
    }

    /// Whether this node is the one that chooses.
    pub fn may_choose(&self) -> bool {
        self.state.lock().keeps
    }

    /// Whether something is to be worked out though nothing was learned.
    pub fn is_news(&self) -> bool {
        self.state.lock().is_news
    }

    /// Answers are given by it from now on.
    pub fn applied(&self, tuning: &Tuning) {
        let mut state = self.state.lock();
        state.current = tuning.clone();
        state.is_news = false;
    }

    /// Stores what was chosen here, or takes over what is stored, if it is time to. What fails is tried again later.
    pub async fn exchange(&self) {
        let keeps = self.role.get() == SumsRole::Keeps;
        let unstored = {
            let mut state = self.state.lock();
            state.keeps &= keeps;
            let now = Instant::now();
            if now < state.next_look {
                return;
            }
            let unstored = state.keeps.then(|| Bytes::from(state.current.encode()));
            if unstored.is_some() && (state.is_default() || state.stored == unstored) {
                return;
            }
            state.next_look = now + self.interval;
            unstored
        };
        let exchanged = match unstored {
            Some(chosen) => self.store(chosen).await,
            None => self.take_over(keeps).await,
        };
        if let Err(error) = exchanged {
            tracing::debug!(%error, "what was chosen for the ranking was not shared; it is tried again");
        }
    }

    async fn store(&self, chosen: Bytes) -> Result<(), PortError> {
        self.store.save_tuning(chosen.clone()).await?;
        self.state.lock().stored = Some(chosen);
        Ok(())
    }

    async fn take_over(&self, keeps: bool) -> Result<(), PortError> {
        let stored = self.store.load_tuning().await?;
        let mut state = self.state.lock();
        // Who begins to keep the sums may have to choose at once.
        state.is_news |= keeps;
        state.keeps = keeps;
        let Some(stored) = stored else { return Ok(()) };
        match Tuning::decode(&stored) {
            Ok(tuning) => {
                state.is_news |= tuning != state.current;
                state.current = tuning;
            }
            Err(error) if state.stored.as_ref() != Some(&stored) => {
                tracing::warn!(%error, "what was chosen for the ranking is not taken over");
            }
            Err(_told) => {}
        }
        state.stored = Some(stored);
        Ok(())
    }
}

impl State {
    /// Whether nothing was chosen yet.
    fn is_default(&self) -> bool {
        self.current == Tuning::default()
    }
}
