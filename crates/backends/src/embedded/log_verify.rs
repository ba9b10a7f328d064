//! Reads the log through once after each start: what a disk has changed in a table is found before somebody needs
//! it. A small log is read before it opens; a large one beside everything else, and stops taking and giving
//! records where damage is found.

use super::failure::{ADVICE, damaged};
use super::log_files::{LogFiles, check};
use nearline_ports::PortError;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

/// How long opening may take for it.
const AT_OPENING: Duration = Duration::from_millis(50);
/// Values read between two looks at the time, and between two pauses afterwards.
const VALUES: usize = 512;
/// Pause between them: a quarter of a core at most.
const PAUSE_FACTOR: u32 = 3;

/// What is left to be read.
pub(super) struct LogVerify {
    files: Arc<LogFiles>,
    next: Vec<u8>,
}

impl LogVerify {
    /// Reads as much as opening may take time for; gives what is left.
    ///
    /// # Errors
    /// [`PortError::Damaged`] with the first record that cannot be read.
    pub(super) fn begin(files: &Arc<LogFiles>) -> Result<Option<Self>, PortError> {
        let mut verify = Self { files: files.clone(), next: Vec::new() };
        let until = Instant::now() + AT_OPENING;
        while verify.some()? {
            if Instant::now() >= until {
                return Ok(Some(verify));
            }
        }
        Ok(None)
    }

    /// Reads the rest, until the other end of `stop` is dropped.
    pub(super) fn run(mut self, stop: Receiver<()>) {
        loop {
            let began = Instant::now();
            match self.some() {
                Ok(true) => {}
                Ok(false) => return tracing::debug!(log = self.files.what, "every record was read through"),
                Err(error) => {
                    tracing::error!(%error, "the log is damaged: it takes and gives no records any more");
                    self.files.found_damaged(error);
                    return;
                }
            }
            if stop.try_recv() == Err(TryRecvError::Disconnected) {
                return;
            }
            std::thread::sleep(began.elapsed() * PAUSE_FACTOR);
        }
    }

    /// Reads some more; whether there is more.
    fn some(&mut self) -> Result<bool, PortError> {
        let mut values = 0;
        for guard in self.files.records.range(self.next.clone()..).take(VALUES) {
            let key = check(&self.files.what, guard).map_err(|error| {
                damaged(&self.files.what, format!("a record cannot be read ({error}); {ADVICE}"))
            })?;
            self.next = key;
            self.next.push(0);
            values += 1;
        }
        Ok(values == VALUES)
    }
}
