//! Off-line evaluation: events replayed in the order of their time through the code that serves, and
//! asked, before each thing a member did, what would have been recommended.
//!
//! [`prequential`] tests and then learns, play by play; [`impressions`] ranks what was shown and looks
//! at what of it was played. Both are deterministic but for their timings: one thread, no randomness.
//!
//! What is deliberately absent: a second implementation of anything that is measured. The fold is
//! [`nearline_model::Partition`], the sums are [`nearline_model::Aggregates`], and all calls to the
//! ranking stand in [`recommender`]. [`policy`] estimates from logged decisions what another policy would
//! have earned.

pub mod chart;
pub mod event_file;
pub mod html;
pub mod impressions;
pub mod metrics;
pub mod outcome_file;
pub mod policy;
pub mod prequential;
pub mod recommender;
pub mod replay;
pub mod summary;
pub mod table_file;
pub mod timed_event;

use serde_json::{Value, json};

/// A figure of a report, rounded so that it can be compared as text; what could not be measured is null.
fn figure(value: f64) -> Value {
    if value.is_finite() { json!((value * 1e6).round() / 1e6) } else { Value::Null }
}
