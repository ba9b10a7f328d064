//! The facts of one batch on their way to the labels that may see them first.
//!
//! As in the table of members, most of the time is waiting for memory: each step asks for all that it needs first.

use std::hint::black_box;

use arrow_array::{ArrayRef, RecordBatch};

use super::{Best, Numbers, View};
use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};
use crate::labels::{Labels, Span, positions};
use crate::members::Members;
use crate::moments::{self, Unit};
use crate::rules::Order;

/// A fact of a member that labels name: its row in the batch, and the member's number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub row: u32,
    pub member: u32,
}

/// A fact, and the place of the label that it is offered to.
#[derive(Debug, Clone, Copy)]
struct Offer {
    place: u32,
    by_position: bool,
    fact: Best,
}

/// The offers of one batch.
#[derive(Debug, Default)]
pub(super) struct Offers {
    spans: Vec<Span>,
    offers: Vec<Offer>,
}

impl Offers {
    /// Finds the labels that facts are offered to; needs no lock.
    pub fn find(
        &mut self,
        hits: &[Hit],
        columns: &Columns<'_>,
        labels: &Labels,
        view: View,
        numbers: &Numbers,
    ) {
        self.spans.clear();
        self.spans.extend(hits.iter().map(|hit| labels.spans[hit.member as usize]));
        self.offers.clear();
        for (hit, span) in hits.iter().zip(&self.spans) {
            let row = hit.row as usize;
            let fact = Best::new(
                columns.event_at[row],
                columns.known_at[row],
                columns.position[row],
                numbers.of(row),
            );
            let offer = |from: u32, to: u32, seen: i64, by_position: bool| {
                let place = first(&labels.cuts[from as usize..to as usize], seen)?;
                Some(Offer { place: from + place as u32, by_position, fact })
            };
            let seen = fact.known_at.saturating_add(view.delay).max(fact.event_at);
            if seen <= span.earliest && span.positions > span.start {
                self.offers.push(Offer { place: span.start, by_position: false, fact });
            } else if seen <= span.latest {
                self.offers.extend(offer(span.start, span.positions, seen, false));
            }
            if span.end > span.positions {
                self.offers.extend(offer(span.positions, span.end, fact.position, true));
            }
        }
    }

    /// Makes the offers.
    pub fn make(&self, answers: &mut [Best], order: Order) {
        black_box(self.offers.iter().fold(0, |all, offer| all ^ answers[offer.place as usize].row));
        for offer in &self.offers {
            let answer = &mut answers[offer.place as usize];
            let order = if offer.by_position { Order::AsServed } else { order };
            if offer.fact.is_newer_than(answer, order) {
                *answer = offer.fact;
            }
        }
    }
}

/// The first of ascending cuts that sees what is seen from a moment, or a position, on.
#[inline]
fn first(cuts: &[i64], seen: i64) -> Option<usize> {
    let place = if cuts.len() <= 8 {
        cuts.iter().position(|cut| *cut >= seen)?
    } else {
        cuts.partition_point(|cut| *cut < seen)
    };
    (place < cuts.len()).then_some(place)
}

/// The columns of a batch that decide.
pub(super) struct Columns<'a> {
    pub members: Members<'a>,
    event_at: std::borrow::Cow<'a, [i64]>,
    known_at: std::borrow::Cow<'a, [i64]>,
    position: std::borrow::Cow<'a, [i64]>,
}

impl<'a> Columns<'a> {
    pub fn of(path: &std::path::Path, batch: &'a RecordBatch, unit: Unit) -> Result<Self> {
        let column = |name: &str| -> Result<&'a ArrayRef> {
            batch.column_by_name(name).ok_or_else(|| FactsError::column(path, name, "is not there"))
        };
        let members = Members::of(path, MEMBER, column(MEMBER)?)?;
        let whole = |name: &str| moments::whole(path, name, column(name)?, |row| members.is_null(row));
        Ok(Self {
            event_at: moments::instants(path, EVENT_AT, whole(EVENT_AT)?, unit)?,
            known_at: moments::instants(path, KNOWN_AT, whole(KNOWN_AT)?, unit)?,
            position: positions(path, POSITION, whole(POSITION)?)?,
            members,
        })
    }

    pub fn ahead(&self) -> u64 {
        self.event_at.iter().zip(self.known_at.iter()).filter(|(event, known)| event > known).count() as u64
    }
}
