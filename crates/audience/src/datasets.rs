//! Importers: public data sets in their original formats, as events and titles of Nearline.
//!
//! What is deliberately absent: publishing. An import gives events in the order of their time; the
//! publisher takes them from there. Events are written as JSON one by one, while they are taken: the
//! largest of the sets have tens of millions. A line that cannot be read is left out, counted and named
//! with its file; a name that is no id is written as one, and kept as the title's name.

mod ids;
pub mod mind;
pub mod movielens;
mod report;
mod source;

pub use report::Report;

use nearline_model::Title;
use nearline_model::timestamp::format_rfc3339;
use serde::Serialize;

/// What an import came to.
pub struct Imported {
    /// Titles of the catalogue.
    pub titles: Vec<Title>,
    /// Events as JSON, in the order of their time.
    pub events: Box<dyn ExactSizeIterator<Item = String> + Send>,
    /// What was left out, renamed or taken as Latin-1.
    pub report: Report,
}

/// An event of the contract, before it is written as JSON.
#[derive(Serialize)]
struct EventLine<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    member: &'a str,
    title: &'a str,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<f64>,
}

impl<'a> EventLine<'a> {
    fn new(id: String, kind: &'static str, member: &'a str, title: &'a str, at_ms: i64) -> Self {
        Self {
            id,
            kind,
            member,
            title,
            at: format_rfc3339(at_ms),
            request: None,
            position: None,
            value: None,
        }
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers can always be written as JSON")
    }
}

/// The number in `text`, which is the field `name`.
fn number<T: std::str::FromStr>(name: &str, text: &str) -> anyhow::Result<T> {
    text.trim().parse().map_err(|_| anyhow::anyhow!("{name} is {text:?}; expected a whole number"))
}
