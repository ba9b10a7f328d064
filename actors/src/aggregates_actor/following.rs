//! Taking over the snapshots that another node keeps, in place of adding every delta.
//!
//! Titles keep their numbers from one snapshot to the next, so that what was worked out of the sums before serves on.

use super::catch_up::Sums;
use crate::event_loop::Threads;
use nearline_model::{Aggregates, Position};
use nearline_ports::stored::damaged_snapshot;
use nearline_ports::{PortError, Ports};
use std::time::Duration;
use tokio::time::Instant;

/// Intervals of snapshots that one behind the sums here is left alone for, before it is taken over all the same. Sums that this
/// node has added itself are ahead of the snapshots for one interval; for longer only if the store was set back.
const INTERVALS_WHEN_AHEAD: u32 = 10;

/// What following remembers.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// Where the sums here were ahead of the snapshot, and since when: a node that has added meanwhile is ahead anew.
    ahead: Option<(Vec<Position>, Instant)>,
    /// After a look that failed: the next one's time.
    resume: Option<Instant>,
}

impl Following {
    /// Takes the stored snapshot over, if it is another than the sums are. They are stored once in an `interval`; what could not be
    /// taken over is tried again after one.
    ///
    /// # Errors
    /// The store's, and [`PortError::Damaged`] where the snapshot cannot be read.
    pub(super) async fn look(
        &mut self,
        ports: &Ports,
        sums: &Sums,
        threads: Threads,
        interval: Duration,
    ) -> Result<(), PortError> {
        // Whoever has nothing yet answers nothing of the sums: that does not wait.
        if !sums.is_empty() && self.resume.is_some_and(|resume| Instant::now() < resume) {
            return Ok(());
        }
        let looked = self.take_over(ports, sums, threads, interval * INTERVALS_WHEN_AHEAD).await;
        self.resume = looked.is_err().then(|| Instant::now() + interval);
        looked
    }

    async fn take_over(
        &mut self,
        ports: &Ports,
        sums: &Sums,
        threads: Threads,
        patience: Duration,
    ) -> Result<(), PortError> {
        let here = sums.aggregates.read().positions().to_vec();
        let Some(stored) = ports.store.aggregates_positions().await? else { return Ok(()) };
        if stored == here {
            return Ok(());
        }
        if is_behind(&stored, &here) {
            let since = match &self.ahead {
                Some((known, since)) if *known == here => *since,
                _ => self.ahead.insert((here.clone(), Instant::now())).1,
            };
            if since.elapsed() < patience {
                return Ok(());
            }
        }
        let Some(snapshot) = ports.store.load_aggregates().await? else { return Ok(()) };
        let aggregates = sums.aggregates.clone();
        let partitions = here.len() as u16;
        let read = threads.compute(move || {
            let (settings, numbering) = {
                let before = aggregates.read();
                (before.settings().clone(), before.numbering())
            };
            Aggregates::decode_as(&snapshot.bytes, partitions, &settings, numbering)
        });
        let again = read.await.ok_or_else(|| damaged_snapshot("reading it panicked"))?;
        if !sums.replace_those_at(&here, again.map_err(damaged_snapshot)?).await {
            return Ok(());
        }
        self.ahead = None;
        metrics::counter!("nearline_aggregates_followed_total").increment(1);
        Ok(())
    }
}

/// Whether a partition's sums here reflect what the snapshot does not.
fn is_behind(stored: &[Position], here: &[Position]) -> bool {
    stored.iter().zip(here).any(|(stored, here)| stored < here)
}
