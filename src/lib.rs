//! Nearline, put together: configuration, HTTP API, console and telemetry around the engine.
//!
//! What is deliberately absent: logic that a room could hold. Decisions are in `nearline-model`,
//! effects in `nearline-actors`, servers in `nearline-backends`.

pub mod audience;
pub mod cli;
pub mod config;
pub mod dead_letters;
pub mod evaluate;
pub mod experiments;
pub mod http;
pub mod import;
pub mod telemetry;
pub mod verify;
