//! Nearline, put together: configuration, HTTP API, console and telemetry around the engine.
//!
//! What is deliberately absent: logic that a room could hold. Decisions are in `nearline-model`,
//! effects in `nearline-actors`, servers in `nearline-backends`.

pub mod cli;
pub mod http;
pub mod telemetry;
