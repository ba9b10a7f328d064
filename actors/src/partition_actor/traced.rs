//! What is told of folding and committing, where traces are recorded: a span for each batch and each commit, linked to
//! the events that they are about, and one for each event whose publisher asked for it.

use super::PartitionActor;
use nearline_model::partition::Folded;
use nearline_model::{Commit, LogRecord, Position};
use nearline_ports::trace::{Kind, MOST_LINKS, Span, TraceContext, carried_by, is_on};

/// An event that belongs to a trace.
pub(super) struct TracedEvent {
    context: TraceContext,
    position: Position,
    log_ms: i64,
}

/// Events of `records` that belong to a recorded trace, the first ones.
pub(super) fn events(records: &[LogRecord]) -> Vec<TracedEvent> {
    if !is_on() {
        return Vec::new();
    }
    let traced = records.iter().filter_map(|record| {
        let context = carried_by(&record.payload).filter(|context| context.sampled)?;
        Some(TracedEvent { context, position: record.position, log_ms: record.log_ms })
    });
    traced.take(MOST_LINKS).collect()
}

impl PartitionActor {
    pub(super) fn fold_span(&self, traced: &[TracedEvent]) -> Span {
        if !is_on() {
            return Span::default();
        }
        let mut span = Span::about(traced.iter().map(|event| event.context).collect(), "fold batch");
        span.set("nearline.partition", u64::from(self.id.0));
        span
    }

    /// Ends the span of a batch, and tells of its events: from the log's time stamp until queries see them.
    pub(super) fn tell_of(&mut self, mut span: Span, folded: &Folded, traced: &[TracedEvent]) {
        span.set("nearline.position", self.folded().0);
        span.set("nearline.events", folded.records());
        for event in traced {
            let mut told = Span::part_of(Some(event.context), "fold event", Kind::Consumer);
            told.since_ms(event.log_ms);
            told.set("nearline.partition", u64::from(self.id.0));
            told.set("nearline.position", event.position.0);
            if let Some(batch) = span.context() {
                told.link(batch);
            }
            let rejected = folded.rejected.iter().find(|rejected| rejected.record.position == event.position);
            if let Some(rejected) = rejected {
                told.fail(format!("dead letter: {}", rejected.reject.reason.code()));
            }
            self.note_traced(told.context());
        }
        self.note_traced(span.context());
    }

    fn note_traced(&mut self, context: Option<TraceContext>) {
        if self.traced.len() < MOST_LINKS {
            self.traced.extend(context);
        }
    }

    pub(super) fn commit_span(&mut self, commit: &Commit, events: u64) -> Span {
        if !is_on() {
            return Span::default();
        }
        let mut span = Span::about(std::mem::take(&mut self.traced), "commit");
        span.set("nearline.partition", u64::from(commit.partition.0));
        span.set("nearline.position", commit.position.0);
        span.set("nearline.events", events);
        span.set("nearline.members", commit.members.len() as u64);
        span
    }
}
