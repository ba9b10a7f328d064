//! A thread for what is worked out beside everything else, one job after another.
//!
//! It is kept from one job to the next: a thread that ends leaves the pages behind that what it made lies in, each in use for a
//! small part, and hundreds of such threads take many times the memory of what they made.

use crate::event_loop::Threads;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};

type Job = Box<dyn FnOnce() + Send>;

/// Lets the other threads of the machine go first: beside a busy thread this one gets a tenth of a core at most.
pub(crate) fn give_way() {
    be_nice(10);
}

/// The same for what others wait for in the end: beside a busy thread it gets about a quarter of a core.
pub(crate) fn give_way_a_little() {
    be_nice(5);
}

fn be_nice(niceness: i32) {
    // Of a thread, not of the process, on Linux alone.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        tracing::debug!(%error, "a thread that is to give way goes on with the priority of all others");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// The thread; there is none before the first job, and it ends with the handle.
#[derive(Debug)]
pub(crate) struct BackgroundThread {
    name: &'static str,
    /// Called on it before the first job.
    begin: fn(),
    jobs: Mutex<Option<Sender<Job>>>,
}

impl BackgroundThread {
    /// A thread of that name.
    pub fn new(name: &'static str, begin: fn()) -> Self {
        Self { name, begin, jobs: Mutex::new(None) }
    }

    /// Has `job` done after those before it. One that panics is left, and the next one done.
    ///
    /// # Errors
    /// There is no thread to be had; the job is not done.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let mut jobs = self.jobs.lock();
        let sender = match jobs.take() {
            Some(sender) => sender,
            None => self.start()?,
        };
        // It is there for as long as there is a sender.
        let _received = sender.send(Box::new(job));
        *jobs = Some(sender);
        Ok(())
    }

    fn start(&self) -> std::io::Result<Sender<Job>> {
        let (sender, receiver) = channel::<Job>();
        let begin = self.begin;
        std::thread::Builder::new().name(self.name.to_owned()).spawn(move || {
            begin();
            for job in receiver {
                // The panic was told by the hook, and what it was about is known to whoever waits for the job.
                let _panicked = catch_unwind(AssertUnwindSafe(job));
            }
        })?;
        Ok(sender)
    }

    /// Does `work` there, or here where the engine has no threads. `None`: it panicked, or there is no thread.
    pub async fn compute<T: Send + 'static>(
        &self,
        threads: Threads,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if threads == Threads::Here {
            return Some(work());
        }
        let (done, result) = tokio::sync::oneshot::channel();
        self.run(move || drop(done.send(work()))).ok()?;
        result.await.ok()
    }

    /// Does `work` there and waits for what it comes to. `None`: it panicked, or there is no thread.
    pub fn wait_for<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, result) = channel();
        self.run(move || drop(done.send(work()))).ok()?;
        result.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::ThreadId;

    #[test]
    fn jobs_are_done_on_one_thread_whatever_becomes_of_them() {
        let background = BackgroundThread::new("background", || {});
        let whose = || std::thread::current().id();
        let first: Option<ThreadId> = background.wait_for(whose);
        assert!(first.is_some_and(|thread| thread != whose()));
        assert_eq!(background.wait_for(|| -> ThreadId { panic!("on purpose") }), None);
        assert_eq!(background.wait_for(whose), first);
    }
}
