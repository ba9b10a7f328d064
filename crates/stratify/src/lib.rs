//! Stratified sampling: down-sample a data set so that it satisfies a wanted distribution.
//!
//! Rules say which rows are wanted: joint and marginal targets, caps and floors per stratum, an exact size, at most so
//! many rows per entity, parts that no entity straddles. A [`Plan`] says how many rows of each stratum meet them, or
//! which rules cannot hold together and what comes closest. [`select`] says which rows those are: the smallest hashes,
//! so that a sample depends on the rows, the rules and the seed alone.
//!
//! ```
//! use nearline_stratify::{Census, Outcome, Plan, Rules};
//!
//! let census = Census::count(&["device"], [(vec!["phone"], 700), (vec!["tv"], 300)]);
//! let rules = Rules::new("row_id", &["device"]).exactly(100).shares("device", &[("phone", 0.5), ("tv", 0.5)]);
//! let plan = Plan::new(&rules, &census)?;
//! assert_eq!(plan.outcome, Outcome::Exact);
//! assert_eq!(plan.take(), [50, 50]);
//! # Ok::<(), nearline_stratify::StratifyError>(())
//! ```
//!
//! No input or output happens here; `nearline-lab stratify` reads and writes Parquet, the Python package Arrow.

pub mod entities;
mod error;
mod plan;
mod problem;
pub mod report;
mod round;
pub mod rules;
pub mod select;
mod solve;
pub mod splits;
pub mod sql;
mod strata;
pub mod weights;

pub use error::StratifyError;
pub use plan::{Outcome, Plan, PlannedStratum, RareStratum, Sum};
pub use problem::References;
pub use round::{RoundingMethod, apportion, cube};
pub use rules::Rules;
pub use solve::{Conflict, raking};
pub use strata::{Census, JOINT, NULL_LEVEL, bin_level, bin_name};
