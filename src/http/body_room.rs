//! The room that all request bodies together may take, so that many large or stalled ones cannot take the memory that the
//! engine needs.

use super::problem::{Problem, ProblemKind};
use actix_web::web::Bytes;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The room.
#[derive(Debug)]
pub struct BodyRoom {
    limit: usize,
    used: AtomicUsize,
}

impl BodyRoom {
    /// Room for `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0) })
    }

    /// Bytes that are taken now.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// A place that takes nothing yet.
    pub fn place(self: &Arc<Self>) -> Place {
        Place { room: self.clone(), bytes: 0 }
    }
}

/// What one body takes; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    room: Arc<BodyRoom>,
    bytes: usize,
}

impl Place {
    /// Takes `bytes` more.
    ///
    /// # Errors
    /// 429 with `Retry-After` where there is not as much.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let limit = self.room.limit;
        let fits = |used: usize| used.checked_add(bytes).filter(|used| *used <= limit);
        if self.room.used.fetch_update(Relaxed, Relaxed, fits).is_err() {
            metrics::counter!("nearline_bodies_shed_total").increment(1);
            let detail = format!(
                "bodies of {limit} bytes are being received or worked on, as many as `http.max_bodies_bytes` allows; try \
                 again in a moment, or send smaller ones"
            );
            return Err(Problem::new(ProblemKind::TooManyBodies, detail));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Gives back all but `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let given = self.bytes.saturating_sub(bytes);
        self.bytes -= given;
        self.room.used.fetch_sub(given, Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shrink(0);
    }
}

/// A whole body, and the place that it takes.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    _place: Place,
}

impl Body {
    /// A body of `bytes`, for which `place` was taken.
    pub fn new(bytes: Bytes, place: Place) -> Self {
        Self { bytes, _place: place }
    }
}

impl Deref for Body {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError;

    #[test]
    fn what_does_not_fit_is_told_to_come_back_and_what_is_dropped_makes_room() {
        let room = BodyRoom::new(100);
        let (mut first, mut second) = (room.place(), room.place());
        first.grow(60).expect("room");
        second.grow(40).expect("room");
        let refused = second.grow(1).expect_err("full").error_response();
        assert_eq!(refused.status().as_u16(), 429);
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(room.used(), 100);
        second.shrink(10);
        first.grow(30).expect("room");
        drop(first);
        assert_eq!(room.used(), 10);
        assert!(second.grow(usize::MAX).is_err());
        drop(second);
        assert_eq!(room.used(), 0);
    }
}
