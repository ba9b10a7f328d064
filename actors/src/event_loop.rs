//! Where parts of the engine run: on threads of their own, or all on the caller's.

use actix::prelude::*;
use actix_rt::{Arbiter, ArbiterHandle};

/// Which threads the engine has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Threads {
    /// Actors, supervisors, ownership and learning have threads of their own.
    #[default]
    Own,
    /// Everything runs on the thread that starts the engine, computing included: for simulations, which must
    /// not depend on what threads do.
    Here,
}

/// A thread with an event loop, or that of whoever spawns.
#[derive(Debug, Clone)]
pub(crate) enum EventLoop {
    Thread(ArbiterHandle),
    Here,
}

impl EventLoop {
    /// A new thread, or none.
    pub fn new(threads: Threads) -> Self {
        match threads {
            Threads::Own => Self::Thread(Arbiter::new().handle()),
            Threads::Here => Self::Here,
        }
    }

    /// Whether it is the thread of whoever spawns.
    pub fn is_here(&self) -> bool {
        matches!(self, Self::Here)
    }

    /// Runs `start` there; what it spawns stays there.
    pub fn spawn_fn(&self, start: impl FnOnce() + Send + 'static) {
        match self {
            // False: the thread has ended with the engine.
            Self::Thread(arbiter) => drop(arbiter.spawn_fn(start)),
            Self::Here => start(),
        }
    }

    /// Runs `task` there.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_fn(move || drop(actix_rt::spawn(task)));
    }

    /// Starts an actor there.
    pub fn start<A: Actor<Context = Context<A>> + Send>(&self, actor: A) -> Addr<A> {
        match self {
            Self::Thread(arbiter) => Actor::start_in_arbiter(arbiter, |_| actor),
            Self::Here => actor.start(),
        }
    }

    /// Ends the thread, if it is one of its own.
    pub fn stop(&self) {
        if let Self::Thread(arbiter) = self {
            arbiter.stop();
        }
    }
}

impl Threads {
    /// Computes something that takes long: beside the event loop where there are threads. `None`: it
    /// panicked, or the runtime ends.
    pub(crate) async fn compute<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        match self {
            Self::Own => tokio::task::spawn_blocking(work).await.ok(),
            Self::Here => Some(work()),
        }
    }
}
