//! What the threads of this process are doing, as the operating system tells it.

/// A thread's number in the operating system.
pub type ThreadNumber = i32;

/// What a thread is doing at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadState {
    /// It runs, or would if it was given a processor.
    pub is_runnable: bool,
    /// Processor time that it has used, in milliseconds.
    pub cpu_ms: u64,
}

/// Tells what threads are doing.
pub trait ThreadStates: std::fmt::Debug + Send + Sync + 'static {
    /// The number of the thread that asks, where it can be told.
    fn this(&self) -> Option<ThreadNumber>;

    /// What a thread of this process is doing, where it can be told.
    fn state(&self, thread: ThreadNumber) -> Option<ThreadState>;
}

/// Nothing can be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct UnknownThreads;

impl ThreadStates for UnknownThreads {
    fn this(&self) -> Option<ThreadNumber> {
        None
    }

    fn state(&self, _thread: ThreadNumber) -> Option<ThreadState> {
        None
    }
}
