//! What members were offered, as rows: one for each candidate, so that each may be a label. An answer that offered nothing is
//! one row without a title.

use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use nearline_model::Fact;
use nearline_model::facts::{Candidate, Decision};

use super::{Column, schema, time};
use crate::columns::{DECISION_POSITION, EVENT_AT, KNOWN_AT, MEMBER, POSITION};
use crate::error::{FactsError, Result};

/// The column of a decision's id.
pub(super) const ID: &str = "recommendation_id";

pub(super) fn columns() -> Vec<Column> {
    vec![
        Column(MEMBER, DataType::Utf8, false, true),
        Column(EVENT_AT, time(), false, true),
        Column(KNOWN_AT, time(), false, true),
        Column("partition", DataType::Int32, false, true),
        Column(POSITION, DataType::Int64, false, true),
        Column(DECISION_POSITION, DataType::Int64, true, true),
        Column("ordinal", DataType::Int32, false, true),
        Column("kind", DataType::Utf8, false, true),
        Column("schema_version", DataType::Int32, false, true),
        Column(ID, DataType::Utf8, false, true),
        Column("offer_id", DataType::Utf8, false, false),
        Column("source", DataType::Utf8, false, true),
        Column("experiment", DataType::Utf8, true, true),
        Column("variant", DataType::Utf8, true, true),
        Column("asked_country", DataType::Utf8, true, true),
        Column("asked_device", DataType::Utf8, true, true),
        Column("known_digest", DataType::Int64, true, true),
        Column("title", DataType::Utf8, true, true),
        Column("row", DataType::Utf8, true, true),
        Column("place", DataType::Int32, true, true),
        Column("score", DataType::Float64, true, false),
        Column("artwork", DataType::Utf8, true, true),
        Column("propensity", DataType::Float64, true, false),
        Column("segment", DataType::Utf8, true, true),
        Column("explored", DataType::Boolean, true, false),
        Column("place_propensity", DataType::Float64, true, false),
    ]
}

#[derive(Default)]
struct Rows {
    texts: [StringBuilder; 13],
    numbers: [Int32Builder; 4],
    longs: [Int64Builder; 3],
    floats: [Float64Builder; 3],
    explored: BooleanBuilder,
    event_at: TimestampMicrosecondBuilder,
    known_at: TimestampMicrosecondBuilder,
}

pub(super) fn batch(facts: &[Fact]) -> Result<RecordBatch> {
    let mut rows = Rows::default();
    for fact in facts {
        let decision = Decision::decode(&fact.payload).map_err(|error| {
            FactsError::Refused(format!(
                "a decision of {} at position {}: {error}",
                fact.member, fact.position
            ))
        })?;
        let candidates = decision.candidates.iter().map(Some);
        let nothing = decision.candidates.is_empty().then_some(None);
        for (ordinal, candidate) in (0..).zip(candidates.chain(nothing)) {
            rows.add(fact, &decision, ordinal, candidate);
        }
    }
    rows.finish()
}

impl Rows {
    fn add(&mut self, fact: &Fact, decision: &Decision, ordinal: i32, candidate: Option<&Candidate>) {
        self.event_at.append_value(fact.event_at_ms.saturating_mul(1_000));
        self.known_at.append_value(fact.known_at_ms.saturating_mul(1_000));
        // What was made without the member's state reflects no event: position 0, and joined with no fact.
        let position = Some(fact.position.0 as i64);
        let longs = [position, position, decision.known.map(u64::cast_signed)];
        self.longs.iter_mut().zip(longs).for_each(|(column, value)| column.append_option(value));
        let artwork = candidate.and_then(|candidate| candidate.artwork.as_ref());
        let told = |text: Option<&'_ str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let texts = [
            told(Some(&fact.member)),
            told(Some(fact.kind.name())),
            told(Some(&decision.recommendation_id)),
            Some(format!("{}.{ordinal}", decision.recommendation_id)),
            told(Some(&decision.source)),
            told(decision.variant.as_ref().map(|(experiment, _)| &**experiment)),
            told(decision.variant.as_ref().map(|(_, variant)| &**variant)),
            told(decision.country.as_deref()),
            told(decision.device.as_deref()),
            told(candidate.map(|candidate| &*candidate.title)),
            told(candidate.map(|candidate| &*candidate.row)),
            told(artwork.map(|artwork| &*artwork.id)),
            told(artwork.and_then(|artwork| artwork.segment.as_deref())),
        ];
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.append_option(text));
        let numbers = [
            Some(i32::from(fact.partition.0)),
            Some(ordinal),
            Some(i32::from(fact.schema_version)),
            candidate.map(|candidate| candidate.place as i32),
        ];
        self.numbers.iter_mut().zip(numbers).for_each(|(column, value)| column.append_option(value));
        let placed = candidate.and_then(|candidate| candidate.placed);
        self.explored.append_option(placed.map(|placed| placed.explored));
        let floats = [
            candidate.map(|candidate| candidate.score),
            artwork.map(|artwork| artwork.propensity),
            placed.map(|placed| placed.propensity),
        ];
        self.floats.iter_mut().zip(floats).for_each(|(column, value)| column.append_option(value));
    }

    fn finish(self) -> Result<RecordBatch> {
        let [
            member,
            kind,
            id,
            offer,
            source,
            experiment,
            variant,
            country,
            device,
            title,
            row,
            artwork,
            segment,
        ] = self.texts.map(finished);
        let [partition, ordinal, version, place] = self.numbers.map(finished);
        let [position, decision_position, digest] = self.longs.map(finished);
        let [score, propensity, place_propensity] = self.floats.map(finished);
        let time = |mut times: TimestampMicrosecondBuilder| -> ArrayRef {
            Arc::new(times.finish().with_timezone("UTC"))
        };
        let columns = vec![
            member,
            time(self.event_at),
            time(self.known_at),
            partition,
            position,
            decision_position,
            ordinal,
            kind,
            version,
            id,
            offer,
            source,
            experiment,
            variant,
            country,
            device,
            digest,
            title,
            row,
            place,
            score,
            artwork,
            propensity,
            segment,
            finished(self.explored),
            place_propensity,
        ];
        RecordBatch::try_new(schema(&self::columns()), columns)
            .map_err(|error| FactsError::Refused(error.to_string()))
    }
}

fn finished(mut builder: impl ArrayBuilder) -> ArrayRef {
    builder.finish()
}
