//! What happened, in order: a hash always, the lines on request.

use std::fmt::{Arguments, Write};
use tokio::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// Steps after which a world is going round in circles.
pub const MOST_STEPS: u64 = 1_000_000;

/// The course of one world.
pub struct Trace {
    hash: Xxh3,
    steps: u64,
    started: Instant,
    line: String,
    kept: Option<Vec<String>>,
}

impl Trace {
    /// An empty trace that starts now; `keep`: with its lines.
    pub fn new(keep: bool) -> Self {
        Self {
            hash: Xxh3::new(),
            steps: 0,
            started: Instant::now(),
            line: String::new(),
            kept: keep.then(Vec::new),
        }
    }

    /// Virtual milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Notes a step.
    pub fn note(&mut self, step: Arguments<'_>) {
        self.steps += 1;
        self.line.clear();
        let now_ms = self.now_ms();
        write!(self.line, "{now_ms:>6} ms  {step}").expect("a string takes every text");
        self.hash.update(self.line.as_bytes());
        if let Some(kept) = &mut self.kept {
            kept.push(self.line.clone());
        }
    }

    /// Steps noted.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Hash of all steps.
    pub fn hash(&self) -> u64 {
        self.hash.digest()
    }

    /// The lines, where they are kept.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.kept.take().unwrap_or_default()
    }
}
