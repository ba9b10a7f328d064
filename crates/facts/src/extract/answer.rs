//! The result's rows: the fact that answers each label, and its features.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::Int8Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int8Array, Int64Array, StringArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use nearline_model::check_invariant;

use super::report::Counts;
use crate::error::Result;
use crate::gather::Gathered;
use crate::labels::{Labels, UNANSWERABLE};
use crate::layout::{Column, Layout};
use crate::moments::Unit;
use crate::sweep::{Answers, Best, View};

/// The names of a status, by its number.
const STATUSES: [&str; 4] = ["ok", "none", "expired", "null"];
const OK: i8 = 0;
const NONE: i8 = 1;
const EXPIRED: i8 = 2;
const NULL: i8 = 3;

/// What the labels of one sweep were answered.
pub(super) struct Answered<'a> {
    pub labels: &'a Labels,
    pub answers: Answers,
    /// The features, by view.
    pub gathered: Vec<Gathered>,
    pub layout: &'a Layout,
    pub unit: Unit,
}

/// What one view says about some labels.
struct Seen<'a> {
    best: Vec<Option<&'a Best>>,
    /// How old each label's fact is; none if the label has no time.
    ages: Vec<Option<i64>>,
    /// Where the facts are among those gathered.
    places: UInt32Array,
    /// The columns at these places, by their place among the view's.
    columns: Vec<ArrayRef>,
}

impl Answered<'_> {
    /// The columns that are added to some labels, counting how they were answered.
    pub fn columns(&self, rows: Range<usize>, counts: &mut Counts) -> Result<Vec<ArrayRef>> {
        let layout = self.layout;
        let views = 0..layout.views.len();
        let seen = views.map(|view| self.seen(view, rows.clone())).collect::<Result<Vec<_>>>()?;
        let row = &seen[0];
        let own: Vec<&ArrayRef> = layout
            .columns
            .iter()
            .filter(|column| column.status.is_none())
            .map(|column| array(&seen, layout, column))
            .collect();
        let all_null = |place: usize| !own.is_empty() && own.iter().all(|array| array.is_null(place));
        let status: Vec<i8> = (0..rows.len()).map(|place| row.status(place, layout.ttl, all_null)).collect();
        counts.add(&status);
        let mut columns = row.fact_columns(self.unit);
        columns.push(named(status));
        for column in &layout.columns {
            let array = array(&seen, layout, column);
            let view = &seen[column.view];
            let status =
                || (0..rows.len()).map(|place| view.status(place, column.ttl, |place| array.is_null(place)));
            columns.push(match column.ttl {
                None => Arc::clone(array),
                Some(_) => view.without(array, status())?,
            });
            if column.status.is_some() {
                columns.push(named(status().collect()));
            }
        }
        Ok(columns)
    }

    fn seen(&self, view: usize, rows: Range<usize>) -> Result<Seen<'_>> {
        let (labels, gathered) = (self.labels, &self.gathered[view]);
        let mut seen = Seen {
            best: Vec::new(),
            ages: Vec::new(),
            places: UInt32Array::from(Vec::<u32>::new()),
            columns: Vec::new(),
        };
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let place = labels.place[row];
            let best = (place != UNANSWERABLE)
                .then(|| self.answers.of(view, place))
                .filter(|best| best.row().is_some());
            if let Some(best) = best {
                check_known(labels, row, best, self.layout.views[view]);
            }
            let age = |best: &Best| labels.time(row).map(|at| at.saturating_sub(best.event_at));
            seen.ages.push(best.and_then(age));
            places.push(best.and_then(|_| gathered.place(place)));
            seen.best.push(best);
        }
        seen.places = UInt32Array::from(places);
        seen.columns = gathered.at(&seen.places)?;
        Ok(seen)
    }
}

/// A label that asks as of a time sees nothing that was not known by then.
fn check_known(labels: &Labels, row: usize, best: &Best, view: View) {
    let Some(at) = labels.asks_as_of(row) else { return };
    check_invariant!(
        I9,
        best.known_at.saturating_add(view.delay) <= at && best.event_at <= at,
        "a label of {at} was answered by a fact of {} known at {}",
        best.event_at,
        best.known_at
    );
}

/// The values of a feature.
fn array<'a>(seen: &'a [Seen<'_>], layout: &Layout, column: &Column) -> &'a ArrayRef {
    let sources = layout.sources(column.view);
    let place =
        sources.iter().position(|source| *source == column.source).expect("every feature's source is read");
    &seen[column.view].columns[place]
}

impl Seen<'_> {
    fn status(&self, place: usize, ttl: Option<i64>, is_null: impl Fn(usize) -> bool) -> i8 {
        if self.best[place].is_none() {
            return NONE;
        }
        match (self.ages[place], ttl) {
            (Some(age), Some(ttl)) if age > ttl => EXPIRED,
            _ if is_null(place) => NULL,
            _ => OK,
        }
    }

    /// Values that are too old are not given.
    fn without(&self, array: &ArrayRef, status: impl Iterator<Item = i8>) -> Result<ArrayRef> {
        let kept: UInt32Array =
            status.enumerate().map(|(place, status)| (status == OK).then_some(place as u32)).collect();
        crate::gather::taken(array, &kept)
    }

    fn fact_columns(&self, unit: Unit) -> Vec<ArrayRef> {
        let event_at: Vec<Option<i64>> =
            self.best.iter().map(|best| best.map(|best| best.event_at)).collect();
        let known_at: Vec<Option<i64>> =
            self.best.iter().map(|best| best.map(|best| best.known_at)).collect();
        let position = self.best.iter().map(|best| best.map(|best| best.position.unsigned_abs()));
        let ages = Int64Array::from_iter(self.ages.iter().copied());
        vec![
            times(event_at, unit),
            times(known_at, unit),
            Arc::new(position.collect::<UInt64Array>()),
            Arc::new(ages),
        ]
    }
}

fn times(values: Vec<Option<i64>>, unit: Unit) -> ArrayRef {
    match unit {
        Unit::Micros => Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")),
        Unit::Nanos => Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC")),
    }
}

fn named(status: Vec<i8>) -> ArrayRef {
    let names = Arc::new(StringArray::from(STATUSES.to_vec()));
    Arc::new(DictionaryArray::<Int8Type>::new(Int8Array::from(status), names))
}

impl Counts {
    fn add(&mut self, status: &[i8]) {
        let count = |wanted: i8| status.iter().filter(|status| **status == wanted).count() as u64;
        self.ok += count(OK);
        self.none += count(NONE);
        self.expired += count(EXPIRED);
        self.null += count(NULL);
    }
}
