//! Ranking: what a member is offered, worked out from the aggregates, the catalogue and the member's state.
//!
//! [`row`] ranks titles, [`page`] lays rows out, [`trending`] says what is taken most right now, and
//! [`artwork`] which artwork of a title is shown. [`learned`] holds what is worked out of the sums now and
//! then; [`gate`] lets a caller's filter and boost in; [`experiment`] deals members to variants.
//!
//! What is deliberately absent: locks, clocks, HTTP, and anything that the fold depends on. All is pure:
//! equal sums, state and question give the same answer.

pub mod affinity;
pub mod appeal;
pub mod artwork;
pub mod associations;
mod cholesky;
mod draw;
pub mod experiment;
pub mod exploration;
pub mod expression;
mod factors;
pub mod gate;
mod genre_sets;
mod give_way;
pub mod insights;
pub mod learned;
pub mod lift;
pub mod newcomers;
pub mod offer;
pub mod page;
pub mod position_bias;
pub mod query;
pub mod ranked;
pub mod row;
pub mod settings;
pub mod statistics;
pub mod taste;
pub mod trending;
pub mod tuning;

pub use appeal::{Given, rank_given, score_given};
pub use learned::Learned;
pub use query::Query;
pub use ranked::{Ranked, Reason};
pub use row::{next, rank, score_titles, similar};
