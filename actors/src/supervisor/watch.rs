//! Watching an actor from its start to its end.

use super::{Death, Life, Memory, Supervisor};
use crate::partition_handle::PartitionHandle;
use crate::progress::{Hold, Incarnation};
use crate::remediations::{Begun, Ticket};
use crate::workers::Worker;
use nearline_model::Position;
use nearline_model::control::remediation::{Action, Fault};
use nearline_model::control::watchdog::{LOOK_INTERVAL_MS, Sample, Symptom, Watchdog};
use nearline_ports::PortError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

impl Supervisor {
    /// Runs an actor from its start to its end; `None`: it was asked to end.
    pub(super) async fn live_once(&self, memory: &mut Memory) -> Option<Death> {
        match self.build(memory).await {
            Ok(Some(life)) => {
                let death = self.watch(life, memory).await;
                memory.lives_end_unusable =
                    death.as_ref().is_some_and(|death| death.fault == Fault::Unusable);
                death
            }
            Ok(None) => None,
            Err(error) => Some(Death::of(&error)),
        }
    }

    async fn watch(&self, mut life: Life, memory: &mut Memory) -> Option<Death> {
        let hang = Duration::from_millis(self.settings.hang_ms.max(1));
        let started = Instant::now();
        let now_ms = || started.elapsed().as_millis() as u64;
        let mut watchdog = Watchdog::new(
            self.settings.hang_ms.max(1),
            self.settings.reader_stall_ms.max(1),
            &sample(&self.handle, &life.worker),
            now_ms(),
        );
        let mut silence = StoreSilence::default();
        let mut recreated = None;
        let mut is_live = false;
        let mut looks = interval(Duration::from_millis(LOOK_INTERVAL_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                ended = &mut life.ended => {
                    return match ended {
                        Ok(ended) => Death::after(ended),
                        Err(_gone) if self.is_stopping() => None,
                        Err(_gone) => Some(Death::new(Fault::Panicked, "the actor's thread ended")),
                    };
                }
                live = &mut life.live, if !is_live => {
                    is_live = true;
                    if live.is_ok() {
                        tracing::debug!(
                            partition = %self.handle.partition, position = life.started_at.0, "actor is live"
                        );
                        memory.history.went_live(self.node.elapsed_ms());
                        self.finish(memory);
                    }
                }
                _ = looks.tick() => {
                    let seen = sample(&self.handle, &life.worker);
                    self.look_at_reader(&mut recreated, seen.read);
                    silence.look(&self.handle, life.incarnation, hang, &seen);
                    if let Some(symptom) = watchdog.look(&seen, now_ms())
                        && let Some(death) = self.remedy(symptom, &life, memory, &mut recreated, hang)
                    {
                        return Some(death);
                    }
                }
            }
        }
    }

    /// What a symptom leads to; `None`: the actor lives on.
    fn remedy(
        &self,
        symptom: Symptom,
        life: &Life,
        memory: &mut Memory,
        recreated: &mut Option<(Position, Ticket)>,
        hang: Duration,
    ) -> Option<Death> {
        let for_ms = hang.as_millis();
        let zombie = self.handle.address();
        let death = match symptom {
            Symptom::ThreadBlocked => {
                let leaked_threads = self.node.workers.leave_behind(&life.worker);
                let detail = format!(
                    "its thread has done nothing for {for_ms} ms; {leaked_threads} threads are left behind"
                );
                Death::new(Fault::Blocked { leaked_threads }, detail)
            }
            Symptom::ActorHung => {
                Death::new(Fault::Hung, format!("no sign of life for {for_ms} ms, though its thread turns"))
            }
            Symptom::NoProgress => {
                Death::new(Fault::Hung, format!("batches wait, and none was folded for {for_ms} ms"))
            }
            Symptom::ReaderStalled => {
                let (read, last) = (self.handle.read.load(), self.handle.log_last.load());
                let detail = format!("the log goes up to position {last}, the reader stands at {read}");
                let action = self.judge(memory, &Fault::ReaderStalled);
                if action == Action::RecreateReader {
                    let begun = Begun {
                        partition: self.handle.partition,
                        fault: Fault::ReaderStalled.code(),
                        detail,
                        action,
                        position: None,
                        before: self.handle.standing(),
                    };
                    self.look_at_reader(recreated, Position::MAX);
                    *recreated = Some((read, self.node.remediations.begin(begun)));
                    life.reader.send_modify(|count| *count += 1);
                    return None;
                }
                Death { action: Some(action), ..Death::new(Fault::ReaderStalled, detail) }
            }
        };
        Some(Death { zombie, ..death })
    }

    /// A recreated reader that brings something has ended its remediation.
    fn look_at_reader(&self, recreated: &mut Option<(Position, Ticket)>, read: Position) {
        if let Some((before, ticket)) = recreated.take() {
            if read > before {
                self.node.remediations.finish(ticket, self.handle.standing());
            } else {
                *recreated = Some((before, ticket));
            }
        }
    }
}

/// Notices a store that does not answer long before the request's own time-out.
#[derive(Default)]
struct StoreSilence {
    /// Since when requests have been under way without any progress, and how far everything was.
    since: Option<(Instant, [Position; 2])>,
}

impl StoreSilence {
    fn look(&mut self, handle: &PartitionHandle, incarnation: Incarnation, bound: Duration, seen: &Sample) {
        let progress = [handle.committed.load(), seen.folded];
        match self.since {
            Some((since, before)) if seen.waiting_for_store && before == progress => {
                if since.elapsed() >= bound {
                    let error = PortError::Unavailable {
                        what: "the store".to_owned(),
                        detail: format!("no answer for {} ms", bound.as_millis()),
                    };
                    handle.hold(incarnation, Hold::Answer, &error, 0);
                }
            }
            _ => {
                handle.resume(incarnation, Hold::Answer);
                self.since = seen.waiting_for_store.then(|| (Instant::now(), progress));
            }
        }
    }
}

fn sample(handle: &PartitionHandle, worker: &Worker) -> Sample {
    Sample {
        thread_still_for_ms: worker.still_for().as_millis() as u64,
        thread_ticks: worker.ticks(),
        actor_turns: handle.turns.load(Relaxed),
        pending_batches: handle.pending_batches.load(Relaxed),
        waiting_for_store: handle.store_requests.load(Relaxed) > 0,
        folded: handle.folded.load(),
        reader_open: handle.reader_open.load(Relaxed),
        read: handle.read.load(),
        log_last: handle.log_last.load(),
    }
}
