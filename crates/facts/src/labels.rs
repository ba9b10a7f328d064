//! The labels of one sweep: whom they ask about, and as of when.

use std::ops::Range;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::columns::{DECISION_POSITION, EVENT_AT, MEMBER};
use crate::error::{FactsError, Result};
use crate::members::{self, MemberTable, Members};
use crate::moments::{self, Unit};
use crate::source::{Read, Source};

/// A label that no fact can answer: it names no member or no time.
pub(crate) const UNANSWERABLE: u32 = u32::MAX;

/// Where a member's labels are among the cuts: first those as of a time, then those as of a position.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    pub start: u32,
    pub positions: u32,
    pub end: u32,
    /// The first and the last of its times: many facts need no look at the cuts between.
    pub earliest: i64,
    pub latest: i64,
}

/// The labels of one sweep.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    pub table: MemberTable,
    /// By the member's number, its hash in indexes.
    pub hashes: Vec<u64>,
    /// By the member's number.
    pub spans: Vec<Span>,
    /// What each label asks as of, ascending within a member: a time, or a position.
    pub cuts: Vec<i64>,
    /// By the label's row in this sweep, its place among the cuts.
    pub place: Vec<u32>,
    /// By the label's row, its time.
    times: Vec<Option<i64>>,
    /// By the label's row, whether it asks as of a position; empty if none does.
    by_position: Vec<bool>,
    /// Labels that name no member.
    pub without_member: u64,
    /// Labels that name no time.
    pub without_time: u64,
}

/// One label on its way to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ask {
    member: u32,
    by_position: bool,
    cut: i64,
    row: u32,
}

/// Refuses labels whose columns do not fit those of the facts.
pub(crate) fn check(labels: &Source, facts: &Source) -> Result<()> {
    let path = &labels.files[0].path;
    let member = labels.required(MEMBER)?.data_type();
    members::check(path, MEMBER, member)?;
    let other = facts.required(MEMBER)?.data_type();
    if matches!(member, DataType::Utf8View) != matches!(other, DataType::Utf8View) {
        let reason = format!("is {member}, and that of the facts is {other}; write both as one type");
        return Err(FactsError::column(path, MEMBER, reason));
    }
    moments::check(path, EVENT_AT, labels.required(EVENT_AT)?.data_type())?;
    Ok(())
}

impl Labels {
    /// Bytes that one label takes up in a sweep, about, without the answers.
    pub const BYTES_PER_LABEL: usize = MemberTable::BYTES_PER_MEMBER + 32 + 8 + 4 + 16 + 24 + 16;

    /// Reads the labels of some rows.
    pub fn read(source: &Source, rows: Range<u64>, unit: Unit) -> Result<Self> {
        let mut labels = Self::default();
        let mut asks = Vec::new();
        let mut columns = vec![MEMBER, EVENT_AT];
        if source.field(DECISION_POSITION).is_ok() {
            columns.push(DECISION_POSITION);
        }
        for (group, within) in source.groups_within(&rows) {
            let path = source.path(group);
            let mut skip = within.start;
            let mut left = within.end - within.start;
            for batch in source.read(group, Read { columns: columns.clone(), ..Read::default() })? {
                let batch = batch.map_err(FactsError::parquet(path))?;
                let from = skip.min(batch.num_rows());
                let count = left.min(batch.num_rows() - from);
                skip -= from;
                left -= count;
                if count > 0 {
                    labels.add(path, &batch.slice(from, count), unit, &mut asks)?;
                }
            }
        }
        labels.arrange(asks);
        Ok(labels)
    }

    fn add(
        &mut self,
        path: &Path,
        batch: &arrow_array::RecordBatch,
        unit: Unit,
        asks: &mut Vec<Ask>,
    ) -> Result<()> {
        let missing = |column: &str| FactsError::column(path, column, "was not read");
        let member = batch.column_by_name(MEMBER).ok_or_else(|| missing(MEMBER))?;
        let time = batch.column_by_name(EVENT_AT).ok_or_else(|| missing(EVENT_AT))?;
        let position = batch.column_by_name(DECISION_POSITION);
        let members = Members::of(path, MEMBER, member)?;
        let times = moments::instants(path, EVENT_AT, time, unit)?;
        let positions = position.map(|array| positions(path, DECISION_POSITION, array)).transpose()?;
        for (row, &at) in times.iter().enumerate() {
            let number = u32::try_from(self.times.len()).expect("a sweep has fewer than 2^32 labels");
            self.times.push(time.is_valid(row).then_some(at));
            let Some(found) = self.table.insert(&members, row) else {
                self.without_member += 1;
                continue;
            };
            if found as usize == self.hashes.len() {
                self.hashes.push(members.hash(row));
            }
            let decided = positions.as_ref().zip(position).filter(|(_, array)| array.is_valid(row));
            if let Some((positions, _)) = decided {
                asks.push(Ask { member: found, by_position: true, cut: positions[row], row: number });
            } else if time.is_valid(row) {
                asks.push(Ask { member: found, by_position: false, cut: at, row: number });
            } else {
                self.without_time += 1;
            }
        }
        Ok(())
    }

    fn arrange(&mut self, mut asks: Vec<Ask>) {
        asks.sort_unstable();
        self.place = vec![UNANSWERABLE; self.times.len()];
        self.cuts = asks.iter().map(|ask| ask.cut).collect();
        self.spans = vec![Span::default(); self.table.len()];
        let mut start = 0;
        for same in asks.chunk_by(|one, other| one.member == other.member) {
            let end = start + same.len();
            let by_time = same.partition_point(|ask| !ask.by_position);
            let small = |place: usize| u32::try_from(place).expect("a sweep has fewer than 2^32 labels");
            let times = &same[..by_time];
            self.spans[same[0].member as usize] = Span {
                start: small(start),
                positions: small(start + by_time),
                end: small(end),
                earliest: times.first().map_or(i64::MAX, |ask| ask.cut),
                latest: times.last().map_or(i64::MIN, |ask| ask.cut),
            };
            start = end;
        }
        if asks.iter().any(|ask| ask.by_position) {
            self.by_position = vec![false; self.times.len()];
        }
        for (place, ask) in asks.iter().enumerate() {
            self.place[ask.row as usize] = place as u32;
            if ask.by_position {
                self.by_position[ask.row as usize] = true;
            }
        }
    }

    /// The time of a label, by its row.
    pub fn time(&self, row: usize) -> Option<i64> {
        self.times[row]
    }

    /// The time that a label asks as of, by its row; none if it asks as of a position.
    pub fn asks_as_of(&self, row: usize) -> Option<i64> {
        let decided = self.by_position.get(row).copied().unwrap_or_default();
        self.times[row].filter(|_| !decided)
    }

    /// The latest time asked about; none if every label asks as of a position.
    pub fn latest(&self) -> Option<i64> {
        let last =
            |span: &Span| (span.positions > span.start).then(|| self.cuts[span.positions as usize - 1]);
        self.spans.iter().filter_map(last).max()
    }

    /// Whether some label asks as of a position.
    pub fn any_by_position(&self) -> bool {
        self.spans.iter().any(|span| span.end > span.positions)
    }
}

fn widened<T: ArrowPrimitiveType>(array: &ArrayRef) -> std::borrow::Cow<'_, [i64]>
where
    T::Native: Into<i64>,
{
    let values = array.as_primitive::<T>().values();
    values.iter().map(|value| Into::<i64>::into(*value)).collect::<Vec<i64>>().into()
}

/// Positions of a log; what nulls hold is arbitrary.
pub(crate) fn positions<'a>(
    path: &Path,
    column: &str,
    array: &'a ArrayRef,
) -> Result<std::borrow::Cow<'a, [i64]>> {
    let refuse = |value: &dyn std::fmt::Display| {
        FactsError::column(path, column, format!("holds {value}, which is no position of a log"))
    };
    let all: std::borrow::Cow<'a, [i64]> = match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().values().inner().typed_data::<i64>().into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().values().inner().typed_data::<i64>().into(),
        DataType::Int8 => widened::<Int8Type>(array),
        DataType::Int16 => widened::<Int16Type>(array),
        DataType::Int32 => widened::<Int32Type>(array),
        DataType::UInt8 => widened::<UInt8Type>(array),
        DataType::UInt16 => widened::<UInt16Type>(array),
        DataType::UInt32 => widened::<UInt32Type>(array),
        other => {
            return Err(FactsError::column(path, column, format!("is {other}; positions are integers")));
        }
    };
    let negative = all.iter().enumerate().find(|(row, value)| **value < 0 && array.is_valid(*row));
    match negative {
        Some((_, value)) => Err(refuse(value)),
        None => Ok(all),
    }
}
