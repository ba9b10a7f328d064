//! What live rows share: how many there are, when the trend changed, and when to end.

use nearline_actors::Engine;
use nearline_config::LiveSection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::time::Duration;
use tokio::sync::watch;

/// What all live rows share.
pub struct LiveHub {
    most: usize,
    taken: AtomicUsize,
    /// Grows whenever the aggregates changed.
    trend: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

/// A place among the live rows; dropping it frees it.
pub struct Seat(Arc<LiveHub>);

impl Drop for Seat {
    fn drop(&mut self) {
        let taken = self.0.taken.fetch_sub(1, AcqRel) - 1;
        metrics::gauge!("nearline_live_subscribers").set(taken as f64);
    }
}

impl LiveHub {
    /// A hub without anybody.
    pub fn new(settings: &LiveSection) -> Arc<Self> {
        Arc::new(Self {
            most: settings.max_subscribers,
            taken: AtomicUsize::new(0),
            trend: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        })
    }

    /// A place, if there is one and the service is not stopping.
    pub fn take_seat(self: &Arc<Self>) -> Option<Seat> {
        if *self.stopping.borrow() {
            return None;
        }
        let more = |taken: usize| (taken < self.most).then_some(taken + 1);
        match self.taken.fetch_update(AcqRel, Acquire, more) {
            Ok(before) => {
                metrics::gauge!("nearline_live_subscribers").set((before + 1) as f64);
                Some(Seat(self.clone()))
            }
            Err(_) => {
                metrics::counter!("nearline_live_limit_hits_total").increment(1);
                None
            }
        }
    }

    /// Tells when the aggregates changed.
    pub fn trend(&self) -> watch::Receiver<u64> {
        self.trend.subscribe()
    }

    /// Ends all live rows: they would hold a graceful stop up.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until the rows are to end.
    pub fn stopped(&self) -> impl Future<Output = ()> + 'static {
        let mut stopping = self.stopping.subscribe();
        async move {
            // The hub outlives its rows; if it did not, they would end, too.
            let _gone = stopping.wait_for(|stopping| *stopping).await;
        }
    }

    /// Looks at the aggregates now and then, for all rows; for good.
    pub async fn follow_trend(self: Arc<Self>, engine: Engine, every: Duration) {
        let mut before = Vec::new();
        loop {
            tokio::time::sleep(every).await;
            if self.trend.receiver_count() == 0 {
                continue;
            }
            let now = engine.aggregates().read().positions().to_vec();
            if now != before {
                before = now;
                self.trend.send_modify(|changes| *changes += 1);
            }
        }
    }
}
