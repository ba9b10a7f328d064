//! Publishes lines in batches, in order; each batch is answered before the next is sent.

use super::destination::{Destination, Outcome, SendError};
use super::refused::RefusedLines;
use super::resume::ResumePoint;
use super::waiting::Waiting;
use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use nearline_audience::text_file::LONGEST_LINE;
use nearline_model::identifier::fingerprint;
use rand::Rng;
use std::time::{Duration, Instant};

/// Lines of one batch.
const BATCH_LINES: usize = 2_000;
/// Bytes of one batch after which no line is added.
const BATCH_BYTES: usize = 2 << 20;
/// Refused lines that are listed.
const LISTED_REJECTS: usize = 20;
/// How long one batch is tried.
const RETRY_FOR: Duration = Duration::from_secs(120);
const BACKOFF_MIN_MS: u64 = 100;
const BACKOFF_MAX_MS: u64 = 5_000;

/// A line to publish.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub number: u64,
    /// The event; `None` where the line is too long to be one.
    pub text: Option<String>,
    /// Up to the line's end: bytes of the file, or lines where these are counted.
    pub end: u64,
    /// Whether a line break ends it.
    pub is_ended: bool,
}

/// How much there is to publish, as far as is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Amount {
    /// Bytes of a file.
    Bytes(u64),
    /// Lines.
    Lines(u64),
    /// Whatever comes.
    Unknown,
}

/// Publishes, retries and counts.
pub(crate) struct Publisher {
    destination: Destination,
    point: ResumePoint,
    listed: Vec<(u64, String)>,
    refused: RefusedLines,
    progress: ProgressBar,
    started: Instant,
    resumed: u64,
}

impl Publisher {
    /// A publisher of so much.
    pub fn new(destination: Destination, amount: Amount) -> Self {
        let (progress, template) = match amount {
            Amount::Bytes(total) => (
                ProgressBar::new(total),
                "{bar:30} {percent:>3}%  {binary_bytes}/{binary_total_bytes}  {msg}  {elapsed} (about {eta} left)",
            ),
            Amount::Lines(total) => {
                (ProgressBar::new(total), "{bar:30} {percent:>3}%  {msg}  {elapsed} (about {eta} left)")
            }
            Amount::Unknown => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let (progress, point) = (progress.with_style(style), ResumePoint::default());
        let (listed, refused) = (Vec::new(), RefusedLines::default());
        Self { destination, point, listed, refused, progress, started: Instant::now(), resumed: 0 }
    }

    /// Counts on from `point`.
    pub fn resume_from(&mut self, point: ResumePoint) {
        self.point = point;
        self.resumed = point.accepted + point.duplicates + point.rejected;
        self.progress.set_position(point.bytes);
        self.progress.reset_eta();
    }

    /// Writes refused lines into a file.
    pub(super) fn refuse_into(&mut self, refused: RefusedLines) {
        self.refused = refused;
    }

    /// Publishes all of `lines`; `answered` hears after each batch how far it came.
    pub async fn publish(
        &mut self,
        lines: impl Iterator<Item = anyhow::Result<Line>>,
        mut answered: impl FnMut(&ResumePoint) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut lines = lines.peekable();
        while lines.peek().is_some() {
            let (mut batch, mut bytes) = (Vec::with_capacity(BATCH_LINES), 0);
            while batch.len() < BATCH_LINES
                && bytes < BATCH_BYTES
                && let Some(line) = lines.next()
            {
                let line = line?;
                bytes += line.text.as_ref().map_or(0, String::len);
                batch.push(line);
            }
            let outcomes = self.send(&batch).await?;
            self.count(&batch, outcomes)?;
            answered(&self.point)?;
        }
        Ok(())
    }

    /// Sends a batch until every line of it is answered. What the destination finds too large for one request
    /// is sent in halves, down to the line that is too large by itself: that one alone is refused.
    async fn send(&self, batch: &[Line]) -> anyhow::Result<Vec<Outcome>> {
        let too_long =
            || Outcome::Rejected(format!("too-large: the line has more than {LONGEST_LINE} bytes"));
        let mut outcomes: Vec<Option<Outcome>> =
            batch.iter().map(|line| line.text.is_none().then(too_long)).collect();
        let (mut deadline, mut backoff_ms) = (Instant::now() + RETRY_FOR, BACKOFF_MIN_MS);
        let mut waiting = Waiting::new(self.destination.name(), RETRY_FOR, Some(&self.progress));
        let mut at_once = batch.len();
        loop {
            let open = (0..batch.len()).filter(|at| outcomes[*at].is_none());
            let open: Vec<usize> = open.take(at_once).collect();
            if open.is_empty() {
                waiting.answered();
                return Ok(outcomes.into_iter().flatten().collect());
            }
            let send: Vec<&str> = open.iter().filter_map(|at| batch[*at].text.as_deref()).collect();
            let error = match self.destination.send(&send).await {
                Ok(answers) => {
                    let mut error = None;
                    for (at, answer) in open.iter().zip(answers) {
                        match answer {
                            Ok(outcome) => outcomes[*at] = Some(outcome),
                            Err(failed) => error = Some(failed),
                        }
                    }
                    error
                }
                Err(error) => Some(error),
            };
            match error {
                // What was learned of the destination's limit holds for the rest of the batch; time does not
                // run out on one that answers.
                None => (deadline, backoff_ms) = (Instant::now() + RETRY_FOR, BACKOFF_MIN_MS),
                Some(SendError::TooLarge(detail)) if open.len() == 1 => {
                    outcomes[open[0]] = Some(Outcome::Rejected(format!("too-large: {detail}")));
                }
                Some(SendError::TooLarge(_)) => at_once = open.len() / 2,
                Some(SendError::Transient(detail)) if Instant::now() < deadline => {
                    waiting.failed(&detail);
                    self.progress.set_message(format!("trying again: {}", nearline_terminal::clean(&detail)));
                    let jitter = rand::rng().random_range(0..=backoff_ms / 2);
                    tokio::time::sleep(Duration::from_millis(backoff_ms + jitter)).await;
                    backoff_ms = (backoff_ms * 2).min(BACKOFF_MAX_MS);
                }
                Some(SendError::Transient(detail)) => bail!(
                    "lines {} to {} were not acknowledged within {} s: {detail}",
                    batch[open[0]].number,
                    batch[batch.len() - 1].number,
                    RETRY_FOR.as_secs()
                ),
                Some(SendError::Final(detail)) => bail!("line {}: {detail}", batch[open[0]].number),
            }
        }
    }

    fn count(&mut self, batch: &[Line], outcomes: Vec<Outcome>) -> anyhow::Result<()> {
        for (line, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Outcome::Accepted => self.point.accepted += 1,
                Outcome::Duplicate => self.point.duplicates += 1,
                Outcome::Rejected(reason) => {
                    // One that is too long to be an event is too long to be corrected.
                    self.refused.put(line.text.as_deref(), self.point.rejected == 0)?;
                    self.point.rejected += 1;
                    if self.listed.len() < LISTED_REJECTS {
                        self.listed.push((line.number, reason));
                    }
                }
            }
        }
        if let Some(last) = batch.last() {
            self.point.lines = last.number;
            (self.point.bytes, self.point.is_open) = (last.end, !last.is_ended);
            self.point.last_line = fingerprint(last.text.as_deref().unwrap_or_default());
            self.progress.set_position(last.end);
        }
        let ResumePoint { accepted, duplicates, rejected, .. } = self.point;
        let message = format!(
            "{} accepted, {duplicates} duplicate, {rejected} rejected",
            nearline_terminal::grouped(accepted)
        );
        self.progress.set_message(message);
        self.refused.flush()
    }

    /// Prints what was published.
    ///
    /// # Errors
    /// If any line was refused.
    pub fn finish(self) -> anyhow::Result<()> {
        self.progress.finish_and_clear();
        let ResumePoint { accepted, duplicates, rejected, .. } = self.point;
        let seconds = self.started.elapsed().as_secs_f64();
        let here = accepted + duplicates + rejected - self.resumed;
        println!(
            "published {} events: {} accepted, {} duplicate, {} rejected; {} of them now, in {seconds:.1} s ({}/s)",
            nearline_terminal::grouped(accepted + duplicates + rejected),
            nearline_terminal::grouped(accepted),
            nearline_terminal::grouped(duplicates),
            nearline_terminal::grouped(rejected),
            nearline_terminal::grouped(here),
            nearline_terminal::grouped((here as f64 / seconds.max(1e-6)) as u64)
        );
        for (number, reason) in &self.listed {
            eprintln!("line {number}: {}", nearline_terminal::clean(reason));
        }
        match rejected {
            0 => Ok(()),
            1 => bail!("one line was refused; {}", self.refused.advice()),
            _ => bail!("{rejected} lines were refused; {}", self.refused.advice()),
        }
    }
}
