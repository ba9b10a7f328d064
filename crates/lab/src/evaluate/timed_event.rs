//! Events that were read from files, and lines that are none.

use bytes::Bytes;

/// Bad lines that are kept with their reason; more are only counted.
pub(super) const SHOWN_BAD_LINES: usize = 5;

/// A valid event that waits to be replayed.
#[derive(Debug, Clone)]
pub struct TimedEvent {
    /// Event time, Unix milliseconds.
    pub at_ms: i64,
    /// The event as it stands in its file.
    pub payload: Bytes,
}

/// Lines that are no valid event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadLines {
    /// How many.
    pub count: u64,
    /// The first of them: file, line and what is wrong.
    pub first: Vec<String>,
}

impl BadLines {
    /// Counts one more.
    pub fn add(&mut self, describe: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < SHOWN_BAD_LINES {
            self.first.push(describe());
        }
    }

    /// How many there are, and the first of them; `None` if there is none.
    pub fn describe(&self) -> Option<String> {
        let more = self.count - self.first.len() as u64;
        let lines = match self.count {
            0 => return None,
            1 => "1 line was left out".to_owned(),
            count => format!("{count} lines were left out"),
        };
        let rest = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        Some(format!("{lines}:\n  {}{rest}", self.first.join("\n  ")))
    }
}
