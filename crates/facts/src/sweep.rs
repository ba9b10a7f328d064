//! One sweep over the facts: for every label, the one fact that answers it.
//!
//! A label is answered by the newest of the facts that were known when it asks, and "newest of a set" needs no order in
//! which the set is met. So each fact is offered to one label alone, the earliest of its member's that may see it; at
//! the end a label's answer is the newest of what was offered to it and to its member's earlier labels. Facts may come
//! in any order and from any thread: the result is the same.

mod numbers;
mod offers;

use std::sync::{Mutex, PoisonError};

use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::index::Ranges;
use crate::labels::{Labels, Span};
use crate::moments::Unit;
use crate::rules::Order;
use crate::source::{Group, Read, Source, selection};

use numbers::Numbers;
use offers::{Columns, Hit, Offers};

/// The best fact offered to a label so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Best {
    pub event_at: i64,
    pub known_at: i64,
    pub position: i64,
    /// One more than the number of the fact's row; zero is none.
    row: u64,
}

impl Best {
    const NONE: Self = Self { event_at: i64::MIN, known_at: i64::MIN, position: i64::MIN, row: 0 };

    /// A fact by its times, its position, and the number of its row.
    pub fn new(event_at: i64, known_at: i64, position: i64, row: u64) -> Self {
        Self { event_at, known_at, position, row: row + 1 }
    }

    /// The number of the fact's row, if there is one.
    pub fn row(&self) -> Option<u64> {
        self.row.checked_sub(1)
    }

    /// Positions of several logs may be equal: times decide between those, and the row where these are equal, too.
    #[inline]
    fn as_served(&self) -> (i64, i64, i64, u64) {
        (self.position, self.event_at, self.known_at, self.row)
    }

    #[inline]
    pub fn is_newer_than(&self, other: &Self, order: Order) -> bool {
        match order {
            Order::EventTime => self > other,
            Order::AsServed => self.as_served() > other.as_served(),
        }
    }
}

/// How one group of features sees the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub order: Order,
    /// From `known_at` until a label may see it; one more if the boundary is exclusive.
    pub delay: i64,
}

/// What a sweep met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Met {
    /// Facts that were read.
    pub facts: u64,
    /// Facts of members that labels name.
    pub of_members: u64,
    /// Facts whose event is later than when it became known; a label before the event does not see them.
    pub ahead: u64,
    /// Facts that name no member.
    pub without_member: u64,
}

impl Met {
    fn add(&mut self, other: &Self) {
        self.facts += other.facts;
        self.of_members += other.of_members;
        self.ahead += other.ahead;
        self.without_member += other.without_member;
    }
}

/// The answers, by view and by the labels' places.
pub(crate) struct Answers(Vec<Vec<Best>>);

impl Answers {
    /// Bytes that one label's answer takes up in one view.
    pub const BYTES_PER_LABEL: usize = size_of::<Best>();

    pub fn of(&self, view: usize, place: u32) -> &Best {
        &self.0[view][place as usize]
    }

    /// The rows that answer a label in one view.
    pub fn wanted(&self, view: usize) -> Wanted {
        let answers = self.0[view].iter().enumerate();
        let mut found: Vec<(u64, u32)> =
            answers.filter_map(|(cut, best)| Some((best.row()?, cut as u32))).collect();
        found.sort_unstable();
        let mut wanted = Wanted { rows: Vec::new(), places: vec![Wanted::NOWHERE; self.0[view].len()] };
        for (row, cut) in found {
            if wanted.rows.last() != Some(&row) {
                wanted.rows.push(row);
            }
            wanted.places[cut as usize] = wanted.rows.len() as u32 - 1;
        }
        wanted
    }
}

/// Rows of the facts, and who wants them.
pub(crate) struct Wanted {
    /// Their numbers, ascending, each once.
    pub rows: Vec<u64>,
    /// By the label's place among the cuts, the place of the row that answers it.
    pub places: Vec<u32>,
}

impl Wanted {
    /// The place of the row of a label that nothing answers.
    pub const NOWHERE: u32 = u32::MAX;
}

/// What a sweep reads.
pub(crate) struct Facts<'a> {
    pub source: &'a Source,
    pub groups: &'a [&'a Group],
    /// The rows of each group; all if none.
    pub ranges: Option<&'a Ranges>,
    pub unit: Unit,
}

/// Offers facts to labels.
pub(crate) fn sweep(
    facts: &Facts<'_>,
    labels: &Labels,
    views: &[View],
    threads: usize,
) -> Result<(Answers, Met)> {
    let answers = vec![vec![Best::NONE; labels.cuts.len()]; views.len()];
    let shared = Mutex::new((answers, Met::default()));
    Source::each(facts.groups, threads, |group| {
        let mut hits = Vec::new();
        let mut offers = Offers::default();
        let path = facts.source.path(group);
        let ranges = facts.ranges.map(|ranges| &ranges[&group.number][..]);
        let mut numbers = Numbers::new(group, ranges);
        let read = Read {
            columns: vec![MEMBER, EVENT_AT, KNOWN_AT, POSITION],
            selection: ranges.map(|ranges| selection(group, ranges)),
            ..Read::default()
        };
        for batch in facts.source.read(group, read)? {
            let batch = batch.map_err(FactsError::parquet(path))?;
            let columns = Columns::of(path, &batch, facts.unit)?;
            hits.clear();
            let missing = labels.table.find_all(&columns.members, |row, member| {
                hits.push(Hit { row: row as u32, member });
            });
            let met = Met {
                facts: batch.num_rows() as u64,
                of_members: hits.len() as u64,
                ahead: columns.ahead(),
                without_member: missing as u64,
            };
            for (place, view) in views.iter().enumerate() {
                offers.find(&hits, &columns, labels, *view, &numbers);
                let mut locked = shared.lock().unwrap_or_else(PoisonError::into_inner);
                offers.make(&mut locked.0[place], view.order);
            }
            numbers.pass(batch.num_rows());
            shared.lock().unwrap_or_else(PoisonError::into_inner).1.add(&met);
        }
        Ok(())
    })?;
    let (mut answers, met) = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (answers, view) in answers.iter_mut().zip(views) {
        settle(&labels.spans, answers, *view);
    }
    Ok((Answers(answers), met))
}

/// Gives every label the newest of what its member's earlier ones were offered.
fn settle(spans: &[Span], answers: &mut [Best], view: View) {
    let mut carry = |from: u32, to: u32, order: Order| {
        let mut best = Best::NONE;
        for answer in &mut answers[from as usize..to as usize] {
            if best.is_newer_than(answer, order) {
                *answer = best;
            }
            best = *answer;
        }
    };
    for span in spans {
        carry(span.start, span.positions, view.order);
        carry(span.positions, span.end, Order::AsServed);
    }
}
