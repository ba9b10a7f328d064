//! Stored form of probes.

use super::BEGINNING_PLACE;
use crate::aggregates::Aggregates;
use crate::aggregates::probes::KeptProbe;
use crate::aggregates::transitions::BEGINNING;
use crate::identifier::{PartitionId, Position};
use crate::symbols::Symbol;
use crate::versioned::DecodeError;
use serde::{Deserialize, Serialize};

/// By partition, oldest first.
pub(super) type ProbesV4 = Vec<Vec<ProbeV4>>;

#[derive(Serialize, Deserialize)]
pub(super) struct ProbeV4 {
    member: u64,
    position: Position,
    epoch: u32,
    again: Option<u32>,
    title: u32,
    /// Places of titles; [`BEGINNING_PLACE`] for the beginning.
    sources: Vec<u32>,
}

impl From<ProbeV3> for ProbeV4 {
    fn from(ProbeV3 { member, position, epoch, is_repeat, title, sources }: ProbeV3) -> Self {
        Self { member, position, epoch, again: is_repeat.then_some(u32::MAX), title, sources }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ProbeV3 {
    member: u64,
    position: Position,
    epoch: u32,
    is_repeat: bool,
    title: u32,
    sources: Vec<u32>,
}

impl Aggregates {
    pub(super) fn restore_probes(
        &mut self,
        probes: ProbesV4,
        number: impl Fn(u32) -> Result<Symbol, DecodeError>,
    ) -> Result<(), DecodeError> {
        for (partition, probes) in (0..).map(PartitionId).zip(probes) {
            for ProbeV4 { member, position, epoch, again, title, sources } in probes {
                let source = |at| if at == BEGINNING_PLACE { Ok(BEGINNING) } else { number(at) };
                let sources = sources.into_iter().map(source).collect::<Result<_, _>>()?;
                let title = number(title)?;
                let probe = KeptProbe { title, sources, again, epoch, position, member };
                self.probes.push(partition, probe);
            }
        }
        Ok(())
    }

    /// Probes; `places` are the titles' places in their list.
    pub(super) fn stored_probes(&self, places: &[u32]) -> ProbesV4 {
        let place = |title: Symbol| places[title.index()];
        let stored = |probe: &KeptProbe| ProbeV4 {
            member: probe.member,
            position: probe.position,
            epoch: probe.epoch,
            again: probe.again,
            title: place(probe.title),
            sources: probe.sources.iter().map(|source| place(*source)).collect(),
        };
        self.probes.by_partition().map(|probes| probes.iter().map(stored).collect()).collect()
    }
}
