//! Importers: public data sets in their original formats, as events and titles of Nearline.
//!
//! What is deliberately absent: publishing. An import gives events in the order of their time; the
//! publisher takes them from there. A line that cannot be read is an error with file and line.

pub mod mind;
pub mod movielens;

use anyhow::{Context, bail};
use nearline_model::Title;
use nearline_model::timestamp::format_rfc3339;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What an import came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Titles of the catalogue.
    pub titles: Vec<Title>,
    /// Events as JSON, in the order of their time.
    pub events: Vec<String>,
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

/// A text file of a data set, with what it takes to name a line in an error.
struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    /// Reads UTF-8.
    fn read_utf8(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let (path, bytes) = Self::read(directory, name)?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
                bail!("{}:{line}: is not UTF-8", path.display());
            }
        };
        Ok(Self { path, text })
    }

    /// Reads Latin-1: every byte is the character with its number.
    fn read_latin1(directory: &Path, name: &str) -> anyhow::Result<Self> {
        let (path, bytes) = Self::read(directory, name)?;
        Ok(Self { path, text: bytes.into_iter().map(char::from).collect() })
    }

    fn read(directory: &Path, name: &str) -> anyhow::Result<(PathBuf, Vec<u8>)> {
        let path = directory.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok((path, bytes))
    }

    /// Every line that is not empty, read by `parse`; its error gets file and line.
    fn parse<T>(&self, mut parse: impl FnMut(&str) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(at, line)| {
                parse(line).map_err(|error| anyhow::anyhow!("{}:{}: {error:#}", self.path.display(), at + 1))
            })
            .collect()
    }
}

/// The number in `text`, which is the field `name`.
fn number<T: std::str::FromStr>(name: &str, text: &str) -> anyhow::Result<T> {
    text.trim().parse().map_err(|_| anyhow::anyhow!("{name} is {text:?}; expected a whole number"))
}

/// Checks a title made of a data set's line.
fn checked(title: Title) -> anyhow::Result<Title> {
    title.validate()?;
    Ok(title)
}
