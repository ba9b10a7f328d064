//! Committing: dead letters and facts first, then state, position and delta in one step, then learning.

use super::{Ended, PartitionActor};
use crate::aggregates_actor::{AddDelta, AggregatesActor, CatchUp};
use crate::facts::FactPath;
use crate::presence::Attendance;
use crate::progress::{Hold, Incarnation, Progress};
use crate::retry::until_done;
use crate::stored_sums::end_ahead_of;
use actix::prelude::*;
use nearline_model::aggregates::Added;
use nearline_model::check_invariant;
use nearline_model::partition::RejectedRecord;
use nearline_model::{Commit, MemberFacts, PartitionId, Position};
use nearline_ports::{DeadLetter, PortError, Ports};
use std::sync::Arc;
use tokio::time::Instant;

impl PartitionActor {
    /// Commits if the policy says so.
    pub(super) fn commit_if_due(&mut self, context: &mut Context<Self>) {
        if !self.broken && self.is_commit_full() {
            self.commit(context);
        }
    }

    /// Starts a commit of what is folded, unless one is on its way or there is nothing.
    pub(super) fn commit(&mut self, context: &mut Context<Self>) {
        if self.commit_running {
            return;
        }
        let epoch = self.epoch;
        let (events, commit) =
            self.partition.with(|partition| (partition.uncommitted_events(), partition.take_commit(epoch)));
        let Some(mut commit) = commit else { return };
        let known = self.facts.clone().map(|path| (path, member_facts(&mut commit)));
        self.commit_running = true;
        let started = Instant::now();
        let commit = Arc::new(commit.stepping_over(&self.quarantine));
        let rejected = std::mem::take(&mut self.rejected);
        check_invariant!(
            I1,
            rejected.iter().all(|refused| commit.covers(refused.record.position)),
            "a dead letter goes with the commit up to {}, of which its event is no part",
            commit.position
        );
        let letters = rejected.into_iter().map(|rejected| dead_letter(&commit, rejected)).collect();
        let mut span = self.commit_span(&commit, events);
        let committing = carry_out(
            self.ports.clone(),
            self.sums_proof(),
            Holder { progress: self.progress.clone(), incarnation: self.incarnation },
            self.aggregates.clone(),
            commit.clone(),
            letters,
            known,
        );
        context.spawn(committing.into_actor(self).map(move |outcome, actor, context| {
            if actor.broken {
                return;
            }
            actor.commit_running = false;
            if let Err(error) = &outcome {
                span.fail(error);
            }
            drop(span);
            match outcome {
                Ok(()) => {
                    metrics::histogram!("nearline_commit_duration_seconds").record(started.elapsed());
                    metrics::counter!("nearline_commit_events_total").increment(events);
                    metrics::counter!("nearline_commit_members_total").increment(commit.members.len() as u64);
                    let mut before = Position::START;
                    actor.progress.write(actor.incarnation, |progress| {
                        before = progress.committed.swap(commit.position);
                    });
                    check_invariant!(
                        I4,
                        commit.position >= before,
                        "committed {} after {before}",
                        commit.position
                    );
                    actor.suspects.acquit(commit.position);
                    actor.partition.with(|partition| partition.committed(&commit));
                    actor.commit_if_due(context);
                    actor.fold_ready(context);
                    if actor.broken {
                        return;
                    }
                    if actor.stopping {
                        actor.commit(context);
                        actor.stop_when_committed(context);
                    }
                }
                Err(error) => actor.end(Ended::Failed(error), context),
            }
        }));
    }

    fn sums_proof(&self) -> SumsProof {
        let (attendance, began_ms) = (self.attendance.clone(), self.attendance.now_ms());
        SumsProof { attendance, known_end: self.sums_end, began_ms }
    }

    /// Ends the actor if nothing is left to commit.
    pub(super) fn stop_when_committed(&mut self, context: &mut Context<Self>) {
        if self.stopping && !self.commit_running {
            self.end(Ended::Stopped, context);
        }
    }
}

fn dead_letter(commit: &Commit, rejected: RejectedRecord) -> DeadLetter {
    DeadLetter {
        partition: commit.partition,
        position: rejected.record.position,
        log_ms: rejected.record.log_ms,
        reason: rejected.reject.reason.code().to_owned(),
        detail: rejected.reject.detail,
        payload: rejected.record.payload,
    }
}

/// Takes the facts out of a commit: the store has no part in them.
fn member_facts(commit: &mut Commit) -> MemberFacts {
    MemberFacts {
        partition: commit.partition,
        after: commit.expected,
        position: commit.position,
        mark: commit.mark,
        facts: std::mem::take(&mut commit.facts),
    }
}

/// Says that the actor waits for the store.
struct Holder {
    progress: Arc<Progress>,
    incarnation: Incarnation,
}

async fn carry_out(
    ports: Ports,
    sums: SumsProof,
    holder: Holder,
    aggregates: Addr<AggregatesActor>,
    commit: Arc<Commit>,
    letters: Vec<DeadLetter>,
    known: Option<(Arc<FactPath>, MemberFacts)>,
) -> Result<(), PortError> {
    let hold = |error: &PortError| {
        holder.progress.hold(holder.incarnation, Hold::Commit, error, 0);
        metrics::counter!("nearline_commit_retries_total").increment(1);
        tracing::warn!(partition = %commit.partition, %error, "commit is held");
    };
    if !letters.is_empty() {
        until_done(|| ports.dead_letters.put(letters.clone()), hold).await?;
    }
    if let Some((path, facts)) = known {
        path.put(facts).await;
    }
    let store_commit = || async {
        sums.check(&ports, &commit).await?;
        ports.store.commit(commit.clone()).await
    };
    until_done(store_commit, hold).await?;
    holder.progress.resume(holder.incarnation, Hold::Commit);
    let learned = aggregates.send(AddDelta(commit.delta.clone())).await;
    if let Ok(Some(Added::Gap { .. })) = learned {
        // An earlier delta did not arrive here, or was undone by the store: the store has what counts. It may
        // take its time over it; what is committed is committed.
        actix_rt::spawn(learn_from_store(aggregates, commit.partition, commit.position));
    }
    Ok(())
}

/// A partition's sums as a commit meets them.
struct SumsProof {
    attendance: Arc<Attendance>,
    /// Where they were known to end ahead of the state: a commit ends there, too.
    known_end: Option<Position>,
    /// When the commit began.
    began_ms: u64,
}

impl SumsProof {
    /// After an absence, and while the registry hears nothing of this process: the partition may have been another's, and the
    /// store set back to where it was not; its sums may be ahead all the same. Then it is acquired anew, and commits where
    /// they end.
    async fn check(&self, ports: &Ports, commit: &Commit) -> Result<(), PortError> {
        let Some(absences) = self.attendance.ask_after(self.began_ms) else { return Ok(()) };
        let (partition, expected) = (commit.partition, commit.expected);
        let end = end_ahead_of(expected, ports, partition).await?;
        if let Some(found) = end.filter(|end| self.is_crossed(*end, commit.position)) {
            // Whoever has taken it over is right, and says so.
            ports.store.prove_owner(partition, commit.epoch).await?;
            return Err(PortError::UnexpectedPosition { partition, expected, found });
        }
        self.attendance.asked(absences);
        Ok(())
    }

    /// Whether a commit up to `position` crosses the `end` of sums that are ahead of it: not the end that it keeps to, nor its
    /// own, of a commit that was made and not answered.
    fn is_crossed(&self, end: Position, position: Position) -> bool {
        end != position && Some(end) != self.known_end
    }
}

async fn learn_from_store(aggregates: Addr<AggregatesActor>, partition: PartitionId, committed: Position) {
    let caught_up = until_done(
        || async { aggregates.send(CatchUp(partition, committed)).await.unwrap_or(Ok(())) },
        |error| tracing::warn!(%partition, %error, "learning is held"),
    );
    if let Err(error) = caught_up.await {
        tracing::error!(%partition, %error, "its deltas cannot be learned for now; the next beat tries again");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::Presence;

    #[test]
    fn an_end_of_the_sums_is_crossed_unless_the_commits_keep_to_it() {
        let attendance = Arc::new(Attendance::new(Arc::new(Presence::new(2_000))));
        let proof = |known_end: Option<u64>| SumsProof {
            attendance: attendance.clone(),
            known_end: known_end.map(Position),
            began_ms: 0,
        };
        // Where they were known to end, where they are found to end ahead of the state, and where the commit ends.
        for (known_end, found, commit, is_crossed) in [
            (None, 30, 50, true),
            (None, 50, 50, false),
            (None, 70, 50, true),
            (Some(30), 30, 30, false),
            (Some(70), 70, 50, false),
            (Some(30), 70, 50, true),
            (Some(70), 30, 50, true),
        ] {
            let proof = proof(known_end);
            let told = format!("known {known_end:?}, found {found}, commit up to {commit}");
            assert_eq!(proof.is_crossed(Position(found), Position(commit)), is_crossed, "{told}");
        }
    }
}
