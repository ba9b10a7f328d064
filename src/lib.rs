//! Nearline, put together: command line, HTTP API, console and telemetry around the engine.
//!
//! What is deliberately absent: logic that a room could hold. Decisions are in `nearline-model`, answers in
//! `nearline-ranking`, effects in `nearline-actors`, servers in `nearline-backends`, settings in `nearline-config`.

pub mod certificate;
pub mod cli;
pub mod doctor;
pub mod http;
pub mod keys;
pub mod telemetry;
pub mod traces;
