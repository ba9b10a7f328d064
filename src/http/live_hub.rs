//! What live rows share: how many there are, when what they rest on changed, and when to end.

use nearline_config::LiveSection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::time::Duration;
use tokio::sync::watch;

/// What all live rows share.
pub struct LiveHub {
    most: usize,
    taken: AtomicUsize,
    /// Grows whenever what all rows rest on changed.
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

    /// Tells when what all rows rest on changed.
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

    /// Looks now and then, for all rows, at what they rest on, which is all of `basis`; for good.
    pub async fn follow_trend<T: PartialEq>(self: Arc<Self>, every: Duration, basis: impl Fn() -> T) {
        let mut before = None;
        loop {
            tokio::time::sleep(every).await;
            if self.trend.receiver_count() == 0 {
                continue;
            }
            let now = Some(basis());
            if now != before {
                before = now;
                self.trend.send_modify(|changes| *changes += 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LiveHub;
    use nearline_config::LiveSection;
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    #[test]
    fn a_change_is_told_once_also_where_nobody_listened_when_it_came() {
        actix_rt::System::new().block_on(async {
            let (hub, basis) = (LiveHub::new(&LiveSection::default()), Rc::new(Cell::new(0)));
            let (now, every) = (basis.clone(), Duration::from_millis(1));
            let following = actix_rt::spawn(hub.clone().follow_trend(every, move || now.get()));
            let mut trend = hub.trend();
            trend.changed().await.expect("the hub is there: its first look");
            for change in 1..20 {
                basis.set(change);
                trend.changed().await.expect("the hub is there");
            }
            let nothing = tokio::time::timeout(Duration::from_millis(30), trend.changed()).await;
            assert!(nothing.is_err(), "nothing has changed since");
            drop(trend);
            basis.set(20);
            tokio::time::sleep(Duration::from_millis(10)).await;
            hub.trend().changed().await.expect("the hub is there");
            following.abort();
        });
    }
}
