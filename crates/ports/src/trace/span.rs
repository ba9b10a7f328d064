//! A piece of work: begun, told of, over when it is dropped.

use super::{MOST_LINKS, TraceContext, here, tracer};
use crate::clock;
use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a span is to whoever called, and to whom it calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers a call.
    Server,
    /// It hands something to a log.
    Producer,
    /// It takes something from a log.
    Consumer,
    /// It is work inside.
    Internal,
}

/// What an attribute says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }
}

/// A span that is over.
#[derive(Debug)]
pub struct Finished {
    /// Its name: what is done, not to whom.
    pub name: Cow<'static, str>,
    /// What it is to others.
    pub kind: Kind,
    /// Which span it is.
    pub context: TraceContext,
    /// The span that it is part of; none: it begins its trace.
    pub parent: Option<u64>,
    /// When it began, and when it ended.
    pub time: (SystemTime, SystemTime),
    /// What else is told of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Spans that it is about.
    pub links: Vec<TraceContext>,
    /// Links for which there was no room.
    pub links_left_out: usize,
    /// What went wrong.
    pub failure: Option<String>,
}

/// A piece of work that is told of, if its trace is recorded. Dropping it ends it.
#[derive(Debug, Default)]
#[must_use = "dropping a span ends it"]
pub struct Span(Option<Box<Begun>>);

#[derive(Debug)]
struct Begun {
    finished: Finished,
    began: Instant,
    /// Set where it began before this was known.
    began_ms: Option<i64>,
}

impl Span {
    /// Work of its own: it begins a trace, if chance wants it or it is about others that are recorded.
    pub fn about(links: Vec<TraceContext>, name: &'static str) -> Self {
        let Some(tracer) = tracer() else { return Self(None) };
        if links.is_empty() && !tracer.samples() {
            return Self(None);
        }
        let trace = tracer.draw();
        let mut span =
            Self::new(TraceContext { trace, span: 0, sampled: true }, None, name.into(), Kind::Internal);
        links.into_iter().for_each(|link| span.link(link));
        span
    }

    /// Work that is rare and always told of, in a trace of its own, whatever the share of others.
    pub fn always(name: &'static str) -> Self {
        let Some(tracer) = tracer() else { return Self(None) };
        let whole = TraceContext { trace: tracer.draw(), span: 0, sampled: true };
        Self::new(whole, None, name.into(), Kind::Internal)
    }

    /// The answer to a call of somebody who says which trace it belongs to; if nobody does, chance decides.
    pub fn called(caller: Option<TraceContext>, name: impl Into<Cow<'static, str>>) -> Self {
        match (tracer(), caller) {
            (Some(_), Some(_)) => Self::part_of(caller, name, Kind::Server),
            (Some(tracer), None) if tracer.samples() => {
                let whole = TraceContext { trace: tracer.draw(), span: 0, sampled: true };
                Self::new(whole, None, name.into(), Kind::Server)
            }
            _ => Self(None),
        }
    }

    /// A part of the work that the code that runs is part of.
    pub fn here(name: &'static str, kind: Kind) -> Self {
        Self::part_of(here(), name, kind)
    }

    /// A part of `parent`, if that is recorded.
    pub fn part_of(parent: Option<TraceContext>, name: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        match parent.filter(|parent| parent.sampled) {
            Some(parent) => Self::new(parent, Some(parent.span), name.into(), kind),
            None => Self(None),
        }
    }

    fn new(of: TraceContext, parent: Option<u64>, name: Cow<'static, str>, kind: Kind) -> Self {
        let Some(tracer) = tracer() else { return Self(None) };
        let context = TraceContext { span: tracer.draw() as u64, ..of };
        let finished = Finished {
            name,
            kind,
            context,
            parent,
            time: (UNIX_EPOCH, UNIX_EPOCH),
            attributes: Vec::new(),
            links: Vec::new(),
            links_left_out: 0,
            failure: None,
        };
        Self(Some(Box::new(Begun { finished, began: Instant::now(), began_ms: None })))
    }

    /// Which span it is; `None`: it is not recorded.
    pub fn context(&self) -> Option<TraceContext> {
        self.0.as_ref().map(|begun| begun.finished.context)
    }

    /// Says one thing more of it.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(begun) = &mut self.0 {
            begun.finished.attributes.push((key, value.into()));
        }
    }

    /// Says that it is about another span, too.
    pub fn link(&mut self, other: TraceContext) {
        let Some(begun) = &mut self.0 else { return };
        if begun.finished.links.len() < MOST_LINKS {
            begun.finished.links.push(other);
        } else {
            begun.finished.links_left_out += 1;
        }
    }

    /// Says that it failed, and why.
    pub fn fail(&mut self, why: impl ToString) {
        if let Some(begun) = &mut self.0 {
            begun.finished.failure = Some(why.to_string());
        }
    }

    /// Says that it began at `unix_ms` by another clock.
    pub fn since_ms(&mut self, unix_ms: i64) {
        if let Some(begun) = &mut self.0 {
            begun.began_ms = Some(unix_ms);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        let (Some(begun), Some(tracer)) = (self.0.take(), tracer()) else { return };
        let Begun { mut finished, began, began_ms } = *begun;
        let end = clock::now();
        let start = match began_ms {
            Some(ms) => UNIX_EPOCH + Duration::from_millis(ms.max(0).cast_unsigned()),
            None => end.checked_sub(began.elapsed()).unwrap_or(end),
        };
        // The other clock may be ahead of this one.
        finished.time = (start.min(end), end);
        tracer.take(finished);
    }
}
