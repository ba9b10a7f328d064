//! Traces: which trace a piece of work belongs to, and what there is to tell of it.
//!
//! A piece of work is a [`Span`]. Whoever exports spans installs a [`Tracer`], as a recorder of metrics is installed;
//! without one, beginning a span is a look at one variable. Nothing here knows a protocol of export.
//!
//! Events carry the trace of whoever published them in a field of their own, `traceparent`, as CloudEvents name it:
//! it stands in the log, in dead letters and in what is published again, whatever the backend is.

mod context;
mod span;

pub use context::{TraceContext, carried_by, carrying};
pub use span::{Finished, Kind, Span, Value};

use std::future::Future;
use std::sync::OnceLock;

/// Spans that one other links to at most, and events of one batch that get a span of their own.
pub const MOST_LINKS: usize = 128;

/// Takes spans that are over, and draws lots.
pub trait Tracer: Send + Sync + 'static {
    /// Whether work that belongs to no trace begins one.
    fn samples(&self) -> bool;

    /// A number drawn at random, never 0 in its lower half.
    fn draw(&self) -> u128;

    /// Takes a span that is over. Never waits: what finds no room is dropped.
    fn take(&self, span: Finished);

    /// Sends what was taken; waits for a moment at most.
    fn flush(&self);
}

static TRACER: OnceLock<Box<dyn Tracer>> = OnceLock::new();

tokio::task_local! {
    static HERE: Here;
}

/// The work that the code that runs is part of.
#[derive(Debug, Clone, Copy)]
struct Here {
    context: TraceContext,
    /// Whether whoever called belongs to the trace, too.
    of_caller: bool,
}

/// Has spans taken by `tracer` from now on; false if there is one already, which stays.
pub fn install(tracer: Box<dyn Tracer>) -> bool {
    TRACER.set(tracer).is_ok()
}

fn tracer() -> Option<&'static dyn Tracer> {
    TRACER.get().map(|tracer| &**tracer)
}

/// Whether spans are taken at all.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// Sends what was taken; waits for a moment at most.
pub fn flush() {
    if let Some(tracer) = tracer() {
        tracer.flush();
    }
}

/// The span that the code that runs is part of, if it is traced.
pub fn here() -> Option<TraceContext> {
    if is_on() { HERE.try_with(|here| here.context).ok() } else { None }
}

/// The trace that events published here belong to: only where the caller asked for it.
fn of_caller() -> Option<TraceContext> {
    if !is_on() {
        return None;
    }
    HERE.try_with(|here| here.of_caller.then_some(here.context)).ok().flatten()
}

/// Runs `work` as part of `span`. `of_caller`: whoever called asked for the trace.
pub async fn within<F: Future>(span: &Span, of_caller: bool, work: F) -> F::Output {
    match span.context() {
        Some(context) => HERE.scope(Here { context, of_caller }, work).await,
        None => work.await,
    }
}

/// The span of appending events that `published` have asked for, and what is written into them.
pub(crate) fn append_span() -> (Span, Option<TraceContext>) {
    let span = Span::here("append", Kind::Producer);
    let written = of_caller().and(span.context());
    (span, written)
}
