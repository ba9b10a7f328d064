//! Says on standard error what is waited for: at once, and again now and then.

use indicatif::ProgressBar;
use std::time::{Duration, Instant};

/// Pause between two words about the same wait.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A wait for a destination that does not answer.
pub(super) struct Waiting<'a> {
    what: &'a str,
    gives_up_after: Duration,
    progress: Option<&'a ProgressBar>,
    since: Instant,
    said: Option<Instant>,
}

impl<'a> Waiting<'a> {
    /// For `what`, which is tried for so long; `progress` is not written across.
    pub fn new(what: &'a str, gives_up_after: Duration, progress: Option<&'a ProgressBar>) -> Self {
        Self { what, gives_up_after, progress, since: Instant::now(), said: None }
    }

    /// It failed once more, and will be tried again.
    pub fn failed(&mut self, detail: &str) {
        let (waited, most) = (self.since.elapsed().as_secs(), self.gives_up_after.as_secs());
        match self.said {
            None => self.say(&format!("waiting for {} (for {most} s at most): {detail}", self.what)),
            Some(at) if at.elapsed() >= AGAIN_AFTER => {
                self.say(&format!("still waiting for {}, {waited} of {most} s: {detail}", self.what));
            }
            Some(_) => return,
        }
        self.said = Some(Instant::now());
    }

    /// It answered.
    pub fn answered(&mut self) {
        if self.said.take().is_some() {
            self.say(&format!("{} answers again after {} s", self.what, self.since.elapsed().as_secs()));
        }
    }

    fn say(&self, text: &str) {
        let text = nearline_terminal::clean(text);
        match self.progress {
            Some(progress) => progress.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}
