//! Off-line policy evaluation from files: logged [`decisions`] of any system, or Nearline's own events,
//! of which every impression with `artwork` and `propensity` is a decision ([`artworks`]).
//!
//! What is deliberately absent: the estimators, which are in [`crate::off_policy`].

pub mod artworks;
mod csv;
pub mod decisions;
mod distribution;
pub mod engine_log;
pub mod published;

use crate::off_policy::{Evaluation, Round};
use serde::Serialize;

/// A policy and the rounds to evaluate it on.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    /// Name of the policy.
    pub policy: String,
    /// Its rounds.
    pub rounds: Vec<Round>,
}

/// What a policy is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyReport {
    /// Name of the policy.
    pub policy: String,
    /// Its value by each estimator, and how far to trust it.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it, and what is expected.
    pub problem: String,
}

impl LineError {
    fn new(line: usize, problem: impl Into<String>) -> Self {
        Self { line, problem: problem.into() }
    }
}
