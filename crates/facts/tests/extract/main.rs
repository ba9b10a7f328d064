//! The point-in-time join, on Parquet files.

#![allow(clippy::unwrap_used)]

mod cases;
mod leakage;
mod lookup;
mod refusals;
mod rules;
mod tables;
mod types;
