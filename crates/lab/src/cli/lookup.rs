//! The look-ups of `nearline-lab extract`: facts by member, as of a moment, and by when they became known.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use nearline_facts::{Lookup, Order, What};

/// Facts as they are, in place of a join.
#[derive(Debug, Args)]
#[group(required = false, multiple = false)]
pub struct LookupArgs {
    /// All facts of the members that this Parquet file names, by the index where there is one.
    #[arg(long, value_name = "M.parquet")]
    members: Option<PathBuf>,
    /// Everybody's fact as of a moment, like 2026-03-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// The facts that became known from a moment until before another, like 2026-03-01T00:00:00Z..2026-03-02T00:00:00Z.
    #[arg(long, value_name = "FROM..TO", value_parser = range)]
    changes: Option<(Timestamp, Timestamp)>,
}

fn range(text: &str) -> anyhow::Result<(Timestamp, Timestamp)> {
    let (from, to) = text.split_once("..").context("it must be FROM..TO")?;
    let time = |text: &str| text.parse().with_context(|| format!("`{text}` is no time with an offset"));
    let (from, to) = (time(from)?, time(to)?);
    anyhow::ensure!(from < to, "the range is empty: {from} is not before {to}");
    Ok((from, to))
}

impl LookupArgs {
    /// Whether it is one as of a moment.
    pub fn is_as_of(&self) -> bool {
        self.as_of.is_some()
    }

    /// Whether a look-up was asked for.
    pub fn is_wanted(&self) -> bool {
        self.members.is_some() || self.as_of.is_some() || self.changes.is_some()
    }

    /// The look-up that was asked for, if one was.
    pub fn lookup(
        self,
        facts: Vec<PathBuf>,
        columns: Vec<String>,
        order: Order,
        output: Option<PathBuf>,
        threads: usize,
    ) -> Option<Lookup> {
        let what = match (self.members, self.as_of, self.changes) {
            (Some(members), _, _) => What::Members(vec![members]),
            (_, Some(at), _) => What::AsOf { at, order },
            (_, _, Some((from, to))) => What::Changes { from, to },
            _ => return None,
        };
        Some(Lookup { facts, what, columns, output, threads })
    }
}
