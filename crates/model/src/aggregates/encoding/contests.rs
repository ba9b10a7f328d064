//! Stored form of contests.

use crate::aggregates::Aggregates;
use crate::aggregates::contests::KeptContest;
use crate::delta::Candidate;
use crate::identifier::{PartitionId, Position};
use crate::symbols::Symbol;
use crate::versioned::DecodeError;
use serde::{Deserialize, Serialize};

/// By partition, oldest first.
pub(super) type ContestsV6 = Vec<Vec<ContestV6>>;

#[derive(Serialize, Deserialize)]
pub(super) struct ContestV6 {
    member: u64,
    position: Position,
    at_s: u32,
    /// The one played first; titles are places in their list.
    candidates: Vec<Candidate<u32>>,
    /// Places of titles.
    sources: Vec<u32>,
}

impl Aggregates {
    pub(super) fn restore_contests(
        &mut self,
        contests: ContestsV6,
        number: impl Fn(u32) -> Result<Symbol, DecodeError>,
    ) -> Result<(), DecodeError> {
        for (partition, contests) in (0..).map(PartitionId).zip(contests) {
            for ContestV6 { member, position, at_s, candidates, sources } in contests {
                let numbered = |candidate: &Candidate<u32>| Ok(candidate.numbered(number(candidate.title)?));
                let candidates = candidates.iter().map(numbered).collect::<Result<_, _>>()?;
                let sources = sources.into_iter().map(&number).collect::<Result<_, _>>()?;
                let contest = KeptContest { candidates, sources, at_s, position, member };
                self.contests.push(partition, contest);
            }
        }
        Ok(())
    }

    /// Contests; `places` are the titles' places in their list.
    pub(super) fn stored_contests(&self, places: &[u32]) -> ContestsV6 {
        let place = |title: Symbol| places[title.index()];
        let placed = |candidate: &Candidate| candidate.numbered(place(candidate.title));
        let stored = |contest: &KeptContest| ContestV6 {
            member: contest.member,
            position: contest.position,
            at_s: contest.at_s,
            candidates: contest.candidates.iter().map(placed).collect(),
            sources: contest.sources.iter().map(|source| place(*source)).collect(),
        };
        self.contests.by_partition().map(|contests| contests.iter().map(stored).collect()).collect()
    }
}
