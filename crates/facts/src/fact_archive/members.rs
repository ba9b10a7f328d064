//! What was known of members, as rows. The features are columns of their own; the payload is kept as it came.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field};
use nearline_model::Fact;
use nearline_model::facts::{Known, Whereabouts};

use super::{Column, schema, time};
use crate::columns::{EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};

/// A count of a member's.
type Count = fn(&Known<'_>) -> u32;

/// Counts of a member: column, value.
const COUNTS: [(&str, Count); 9] = [
    ("titles", |known| known.titles),
    ("seen", |known| known.seen),
    ("listed", |known| known.listed),
    ("liked", |known| known.liked),
    ("disliked", |known| known.disliked),
    ("titles_1d", |known| known.titles_1d),
    ("titles_7d", |known| known.titles_7d),
    ("titles_30d", |known| known.titles_30d),
    ("watched_7d_s", |known| known.watched_7d_s),
];

fn element() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, false))
}

pub(super) fn columns() -> Vec<Column> {
    let mut columns = vec![
        Column(MEMBER, DataType::Utf8, false, false),
        Column(EVENT_AT, time(), false, false),
        Column(KNOWN_AT, time(), false, false),
        Column("partition", DataType::Int32, false, true),
        Column(POSITION, DataType::Int64, false, false),
        Column("ordinal", DataType::Int32, false, true),
        Column("kind", DataType::Utf8, false, true),
        Column("schema_version", DataType::Int32, false, true),
    ];
    columns.extend(COUNTS.iter().map(|(name, _)| Column(name, DataType::Int32, false, false)));
    columns.extend([
        Column("last_title", DataType::Utf8, true, true),
        Column("last_at", time(), true, false),
        Column("recent_titles", DataType::List(element()), false, true),
        Column("country", DataType::Utf8, true, true),
        Column("device", DataType::Utf8, true, true),
        Column("payload", DataType::Binary, false, false),
    ]);
    columns
}

pub(super) fn batch(facts: &[Fact]) -> Result<RecordBatch> {
    let read = facts.iter().map(|fact| {
        Known::decode(fact.schema_version, &fact.payload).map_err(|error| {
            FactsError::Refused(format!("the fact of {} at position {}: {error}", fact.member, fact.position))
        })
    });
    let read: Vec<(Known<'_>, Whereabouts<'_>)> = read.collect::<Result<_>>()?;
    let mut columns = leading(facts);
    for (_, value) in COUNTS {
        let counts = read.iter().map(|(known, _)| value(known) as i32);
        columns.push(Arc::new(Int32Array::from_iter_values(counts)));
    }
    let last = || read.iter().map(|(known, _)| known.recent.first());
    let told = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let last_at = last().map(|title| title.map(|title| i64::from(title.at_s) * 1_000_000));
    let mut recent = ListBuilder::new(StringBuilder::new()).with_field(element());
    for (known, _) in &read {
        known.recent.iter().for_each(|title| recent.values().append_value(title.title));
        recent.append(true);
    }
    columns.extend([
        Arc::new(last().map(|title| title.map(|title| title.title)).collect::<StringArray>()) as ArrayRef,
        Arc::new(last_at.collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
        Arc::new(recent.finish()),
        Arc::new(read.iter().map(|(_, place)| told(place.country)).collect::<StringArray>()),
        Arc::new(read.iter().map(|(_, place)| told(place.device)).collect::<StringArray>()),
        Arc::new(BinaryArray::from_iter_values(facts.iter().map(|fact| &fact.payload))),
    ]);
    RecordBatch::try_new(schema(&self::columns()), columns)
        .map_err(|error| FactsError::Refused(error.to_string()))
}

/// The columns that every fact has.
fn leading(facts: &[Fact]) -> Vec<ArrayRef> {
    let times = |of: &dyn Fn(&Fact) -> i64| -> ArrayRef {
        let micros = facts.iter().map(|fact| of(fact).saturating_mul(1_000));
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
    };
    let number = |of: &dyn Fn(&Fact) -> i32| -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(facts.iter().map(of)))
    };
    vec![
        Arc::new(StringArray::from_iter_values(facts.iter().map(|fact| &*fact.member))),
        times(&|fact| fact.event_at_ms),
        times(&|fact| fact.known_at_ms),
        number(&|fact| i32::from(fact.partition.0)),
        Arc::new(Int64Array::from_iter_values(facts.iter().map(|fact| fact.position.0 as i64))),
        number(&|fact| fact.ordinal as i32),
        Arc::new(StringArray::from_iter_values(facts.iter().map(|fact| fact.kind.name()))),
        number(&|fact| i32::from(fact.schema_version)),
    ]
}
