//! What is counted of titles while events are folded: noted in the order of the log, summed up when the delta is taken.
//!
//! Nearly every event counts in a cell of its own, so that looking each one up as it comes costs more than sorting all of
//! them once.

use super::{Cell, Counts, PlaceCell, PositionBand, Showing, Stage, TakeCounts};
use crate::symbols::{NONE, Symbol};

/// One count of a title.
#[derive(Debug, Clone, Copy)]
struct Note {
    title: Symbol,
    epoch: u32,
    country: Symbol,
    device: Symbol,
    row: Symbol,
    band: Option<PositionBand>,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Staged(Stage),
    Played,
}

impl Note {
    /// The cell that it counts in, as one number in the order of cells.
    fn cell(&self) -> u128 {
        let [title, epoch, country, device] =
            [self.title.0, self.epoch, self.country.0, self.device.0].map(u128::from);
        title << 96 | epoch << 64 | country << 32 | device
    }

    fn count(&self, counts: &mut Counts) {
        match self.what {
            What::Staged(Stage::Shown) => counts.impressions += 1,
            What::Staged(Stage::Taken) => counts.attributed += 1,
            What::Staged(Stage::Quality) => counts.quality += 1,
            What::Played => counts.plays += 1,
        }
    }

    /// The place on the page, and the stage, where both are told.
    fn place(&self) -> Option<((Symbol, Option<PositionBand>), Stage)> {
        match self.what {
            What::Staged(stage) if self.row != NONE || self.band.is_some() => {
                Some(((self.row, self.band), stage))
            }
            _ => None,
        }
    }
}

/// Collects the counts of titles of a delta.
#[derive(Debug, Default)]
pub(super) struct Counted {
    notes: Vec<Note>,
}

impl Counted {
    pub fn stage(&mut self, stage: Stage, showing: &Showing) {
        let Showing { title, epoch, country, device, row, band, .. } = *showing;
        self.notes.push(Note { title, epoch, country, device, row, band, what: What::Staged(stage) });
    }

    pub fn played(&mut self, title: Symbol, epoch: u32, country: Symbol, device: Symbol) {
        self.notes.push(Note { title, epoch, country, device, row: NONE, band: None, what: What::Played });
    }

    pub fn is_empty(&self) -> bool {
        self.notes.is_empty()
    }

    /// All cells and places, each once, in ascending order; still by the partition's numbers.
    pub fn take(&mut self) -> (Vec<Cell>, Vec<PlaceCell>) {
        self.notes.sort_unstable_by_key(Note::cell);
        let (mut cells, mut places) = (Vec::with_capacity(self.notes.len()), Vec::new());
        let mut of_epoch = Vec::new();
        for same_epoch in self.notes.chunk_by(|a, b| (a.title, a.epoch) == (b.title, b.epoch)) {
            for same_cell in same_epoch.chunk_by(|a, b| (a.country, a.device) == (b.country, b.device)) {
                let Note { title, epoch, country, device, .. } = same_cell[0];
                let mut counts = Counts::default();
                same_cell.iter().for_each(|note| note.count(&mut counts));
                cells.push(Cell { title: title.0, epoch, country: country.0, device: device.0, counts });
            }
            of_epoch.clear();
            of_epoch.extend(same_epoch.iter().filter_map(Note::place));
            of_epoch.sort_unstable_by_key(|(place, _)| *place);
            let Note { title, epoch, .. } = same_epoch[0];
            for same_place in of_epoch.chunk_by(|a, b| a.0 == b.0) {
                let (row, band) = same_place[0].0;
                let mut counts = TakeCounts::default();
                same_place.iter().for_each(|(_, stage)| counts.count(*stage));
                places.push(PlaceCell { title: title.0, epoch, row: row.0, band, counts });
            }
        }
        self.notes.clear();
        cells.shrink_to_fit();
        places.shrink_to_fit();
        (cells, places)
    }
}
