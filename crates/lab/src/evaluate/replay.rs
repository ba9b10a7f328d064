//! The replay: one partition that holds all members, each event folded, committed and learned at once.

use super::recommender::Recommender;
use super::timed_event::TimedEvent;
use nearline_model::identifier::OwnerEpoch;
use nearline_model::partition::{Batch, Lookup};
use nearline_model::settings::AggregateSettings;
use nearline_model::versioned::DecodeError;
use nearline_model::{
    FoldSettings, LogRecord, MemberSnapshot, Partition, PartitionId, Position, Reject, Title,
};
use nearline_ranking::settings::RankingSettings;

/// What is evaluated: the settings that a node would serve with.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplaySettings {
    /// Settings of the fold.
    pub fold: FoldSettings,
    /// Settings of the aggregates.
    pub aggregates: AggregateSettings,
    /// Settings of the ranking.
    pub ranking: RankingSettings,
    /// Titles between which weights are solved.
    pub solved_titles: usize,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It changed the state.
    Changed,
    /// Its id was known, or it happened before its member was erased.
    Dropped,
    /// The fold refused it.
    Refused(Reject),
}

/// Member state and recommender, as of the events learned so far.
pub struct Replay {
    /// Aggregates and ranking.
    pub recommender: Recommender,
    partition: Partition,
    event_bytes: usize,
    position: Position,
}

impl Replay {
    /// One that has learned nothing yet.
    pub fn new(settings: &ReplaySettings, titles: Vec<Title>) -> Self {
        let fold = &settings.fold;
        Self {
            recommender: Recommender::new(
                settings.aggregates.clone(),
                settings.ranking,
                settings.solved_titles,
                titles,
            ),
            partition: Partition::new(PartitionId(0), 1, fold.clone()),
            event_bytes: fold.event_bytes,
            position: Position::START,
        }
    }

    /// The state of a member, as a query gets it.
    ///
    /// # Errors
    /// None that can happen here: nothing is loaded from a store.
    pub fn member(&mut self, id: &str) -> Result<MemberSnapshot, DecodeError> {
        self.looked_up(id, false)
    }

    /// The same, with what was shown and is open.
    ///
    /// # Errors
    /// None that can happen here: nothing is loaded from a store.
    pub fn complete_member(&mut self, id: &str) -> Result<MemberSnapshot, DecodeError> {
        self.looked_up(id, true)
    }

    fn looked_up(&mut self, id: &str, complete: bool) -> Result<MemberSnapshot, DecodeError> {
        loop {
            match self.partition.lookup(id, complete) {
                Lookup::Ready(member) => return Ok(*member),
                Lookup::Missing(slot) => self.partition.loaded(slot, None)?,
                Lookup::Loading => unreachable!("every member that is missing is filled in at once"),
            }
        }
    }

    /// Folds an event, commits it and learns its delta. The log's time is the event's own.
    ///
    /// # Errors
    /// None that can happen here: nothing is loaded from a store.
    pub fn learn(&mut self, event: &TimedEvent) -> Result<Replayed, DecodeError> {
        self.position = self.position.next();
        let record =
            LogRecord { position: self.position, log_ms: event.at_ms, payload: event.payload.clone() };
        let (admitted, missing) = self.partition.admit(Batch::parse(vec![record], self.event_bytes));
        for slot in missing {
            self.partition.loaded(slot, None)?;
        }
        let mut folded = self.partition.fold(admitted, |_, _| {});
        if let Some(commit) = self.partition.take_commit(OwnerEpoch(1)) {
            self.recommender.learn(&commit.delta);
            self.partition.committed(&commit);
        }
        Ok(match folded.rejected.pop() {
            Some(rejected) => Replayed::Refused(rejected.reject),
            None if folded.changed > 0 => Replayed::Changed,
            None => Replayed::Dropped,
        })
    }
}
