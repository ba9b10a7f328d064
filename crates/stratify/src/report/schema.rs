//! The JSON report's shape.

/// The JSON Schema of what `nearline-lab stratify --json` prints.
pub const SCHEMA: &str = include_str!("report.schema.json");
