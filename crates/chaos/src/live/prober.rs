//! The prober: asks for one member of each partition again and again, and remembers when a live answer
//! came. The longest time between two of them is what a hand-over or a fail-over costs.

use super::answered::Answered;
use super::balancer::Balancer;
use super::workload::Workload;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long one question may take, and after how long another engine is asked as well.
const QUESTION: Duration = Duration::from_millis(500);
const HEDGE: Duration = Duration::from_millis(25);

/// Live answers by partition.
#[derive(Debug)]
pub struct Prober {
    started: Instant,
    every: Duration,
    live_at: Vec<Mutex<Vec<Duration>>>,
    /// Whether to end.
    pub stop: AtomicBool,
}

impl Prober {
    /// Of so many partitions; times count from `started`.
    pub fn new(started: Instant, partitions: u16, every: Duration) -> Self {
        let live_at = (0..partitions).map(|_| Mutex::default()).collect();
        Self { started, every, live_at, stop: AtomicBool::new(false) }
    }

    /// Asks for `partition` until told to stop: first the engine that gave the last live answer.
    pub async fn probe(&self, balancer: &Balancer, partition: u16) {
        let member = Workload::member_of(partition, self.live_at.len() as u16);
        let path = format!("/v1/members/{member}");
        let mut first = usize::from(partition);
        while !self.stop.load(Relaxed) {
            let asked = tokio::time::Instant::now();
            let (answered, from) = balancer.ask(&path, first, Some(HEDGE), asked + QUESTION).await;
            if answered == Answered::Live {
                self.live_at[usize::from(partition)].lock().push(self.started.elapsed());
                first = from;
            } else {
                first = first.wrapping_add(1);
            }
            tokio::time::sleep_until(asked + self.every).await;
            // An answer that took longer than the pause must not keep others from running.
            tokio::task::yield_now().await;
        }
    }

    /// By partition: the longest time without a live answer that falls into `from` to `to`, or touches it.
    pub fn longest_gaps(&self, from: Duration, to: Duration) -> Vec<Duration> {
        self.live_at.iter().map(|live_at| longest_gap(&live_at.lock(), from, to)).collect()
    }
}

fn longest_gap(live_at: &[Duration], from: Duration, to: Duration) -> Duration {
    let first = live_at.partition_point(|at| *at <= from).saturating_sub(1);
    let end = (live_at.partition_point(|at| *at < to) + 1).min(live_at.len());
    let inside = live_at.get(first..end).unwrap_or_default();
    let Some(last) = inside.last() else { return to.saturating_sub(from) };
    let longest = inside.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default();
    longest.max(to.saturating_sub(*last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(live_at_ms: &[u64], from_ms: u64, to_ms: u64) -> u64 {
        let live_at: Vec<_> = live_at_ms.iter().copied().map(Duration::from_millis).collect();
        longest_gap(&live_at, Duration::from_millis(from_ms), Duration::from_millis(to_ms)).as_millis() as u64
    }

    #[test]
    fn a_gap_counts_whole_though_it_begins_before_or_ends_after() {
        let live_at = [0, 10, 20, 320, 330, 1_000];
        assert_eq!(gap(&live_at, 25, 335), 670, "the next live answer came at 1,000 only");
        assert_eq!(gap(&live_at, 25, 325), 300);
        assert_eq!(gap(&live_at, 5, 20), 10);
        assert_eq!(gap(&live_at, 20, 330), 300);
    }

    #[test]
    fn a_partition_that_is_not_live_again_has_an_open_gap() {
        assert_eq!(gap(&[0, 10], 5, 500), 490);
        assert_eq!(gap(&[], 5, 500), 495);
    }
}
