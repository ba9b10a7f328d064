//! Looks at the ends of the log now and then, for lag and readiness.

use super::{Engine, Inner};
use crate::partition_handle::PartitionHandle;
use crate::progress::PartitionState;
use futures_util::StreamExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Partitions asked for at the same time.
const AT_ONCE: usize = 16;

impl Engine {
    /// Looks until the engine stops.
    pub(super) async fn watch_log(self) {
        let inner = Arc::downgrade(&self.inner);
        drop(self);
        let mut look = 0;
        while let Some(inner) = inner.upgrade() {
            if inner.stopping.load(Relaxed) {
                return;
            }
            Self { inner: inner.clone() }.not_ready();
            let places = here_and_one_elsewhere(inner.partitions.iter().map(|handle| handle.state()), look);
            let looks = places.into_iter().map(|place| inner.see_log(&inner.partitions[place]));
            futures_util::stream::iter(looks).buffer_unordered(AT_ONCE).collect::<()>().await;
            drop(inner);
            look += 1;
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

impl Inner {
    async fn see_log(&self, handle: &PartitionHandle) {
        if let Ok(bounds) = self.ports.log.bounds(handle.partition).await {
            handle.see_log(bounds.last, self.ports.clock.now_ms());
        }
    }
}

/// Places of all partitions that run here and, in turn, of one of the others: if each node asked for all of them, the log's server
/// would be asked as often as there are nodes times partitions.
fn here_and_one_elsewhere(states: impl Iterator<Item = PartitionState>, look: usize) -> Vec<usize> {
    let places = states.enumerate();
    let (elsewhere, here): (Vec<_>, Vec<_>) =
        places.partition(|(_, state)| *state == PartitionState::Elsewhere);
    let in_turn = elsewhere.get(look % elsewhere.len().max(1)).copied();
    here.into_iter().chain(in_turn).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use PartitionState::{Elsewhere, Holding, Live, Restarting, Starting, Stopped};

    #[test]
    fn what_runs_here_is_looked_at_each_time_and_the_others_in_turn() {
        let states = [Live, Elsewhere, Starting, Elsewhere, Restarting, Holding, Stopped, Elsewhere];
        let looks: Vec<_> = (0..4).map(|look| here_and_one_elsewhere(states.into_iter(), look)).collect();
        assert_eq!(looks, [1, 3, 7, 1].map(|elsewhere| vec![0, 2, 4, 5, 6, elsewhere]));
        assert_eq!(here_and_one_elsewhere([Live, Live].into_iter(), 3), [0, 1], "there is nobody else");
        assert_eq!(here_and_one_elsewhere([Elsewhere].into_iter(), 3), [0], "nothing runs here");
    }
}
