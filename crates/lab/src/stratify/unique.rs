//! Whether ids are unique. Ids that ascend through the file are, and that costs nothing; others are looked at again.

use std::collections::HashMap;

use nearline_stratify::StratifyError;
use xxhash_rust::xxh3::xxh3_64;

use super::ids::{self, Id};
use super::source::{Progress, Source};

/// Hashes kept at a time: 128 MiB.
const MOST_KEPT: u64 = 16 << 20;

/// How the ids of a row group follow each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Order {
    first: Option<Key>,
    last: Option<Key>,
    broken: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(u64),
    Text(Vec<u8>),
}

impl Order {
    /// Looks at the next id.
    #[inline]
    pub fn next(&mut self, id: &Id<'_>) {
        if self.broken {
            return;
        }
        match (&mut self.last, id.number) {
            (Some(Key::Number(last)), Some(number)) if *last < number => *last = number,
            (Some(Key::Text(last)), None) if last.as_slice() < id.text => {
                last.clear();
                last.extend_from_slice(id.text);
            }
            (None, number) => {
                let key = number.map_or_else(|| Key::Text(id.text.to_vec()), Key::Number);
                (self.first, self.last) = (Some(key.clone()), Some(key));
            }
            _ => self.broken = true,
        }
    }
}

/// Whether ids ascend within every row group and row groups do not overlap: then they are unique.
pub(super) fn follows(orders: &[Order]) -> bool {
    let mut spans: Vec<(&Key, &Key)> =
        orders.iter().filter_map(|order| Some((order.first.as_ref()?, order.last.as_ref()?))).collect();
    spans.sort();
    orders.iter().all(|order| !order.broken) && spans.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

fn key(id: &Id<'_>) -> u64 {
    xxh3_64(id.text)
}

/// Refuses ids that occur twice, in as many passes over the ids as memory needs.
pub(super) fn check(
    column: &str,
    source: &Source,
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<()> {
    let passes = source.rows().div_ceil(MOST_KEPT).max(1);
    for pass in 0..passes {
        let kept = source.each("ids", threads, progress, |_, group| {
            let mut kept = Vec::new();
            for batch in source.read(group, &[column], &[], None)? {
                ids::visit(column, batch?.column(0), |_, id| {
                    let key = key(&id);
                    if passes == 1 || key % passes == pass {
                        kept.push(key);
                    }
                })?;
            }
            Ok(kept)
        })?;
        let mut all = kept.concat();
        drop(kept);
        all.sort_unstable();
        let mut twice: Vec<u64> =
            all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        twice.dedup();
        drop(all);
        if !twice.is_empty() {
            twice.truncate(10_000);
            confirm(column, source, &twice, threads, progress)?;
        }
    }
    Ok(())
}

/// Equal hashes are suspicious only: the ids themselves decide.
fn confirm(
    column: &str,
    source: &Source,
    twice: &[u64],
    threads: usize,
    progress: &Progress,
) -> anyhow::Result<()> {
    let found = source.each("ids", threads, progress, |_, group| {
        let mut found: Vec<Vec<u8>> = Vec::new();
        for batch in source.read(group, &[column], &[], None)? {
            ids::visit(column, batch?.column(0), |_, id| {
                if twice.binary_search(&key(&id)).is_ok() {
                    found.push(id.text.to_vec());
                }
            })?;
        }
        Ok(found)
    })?;
    let mut counts: HashMap<Vec<u8>, u32> = HashMap::new();
    found.into_iter().flatten().for_each(|id| *counts.entry(id).or_default() += 1);
    match counts.into_iter().filter(|(_, count)| *count > 1).map(|(id, _)| id).min() {
        None => Ok(()),
        Some(id) => {
            let id = String::from_utf8_lossy(&id).into_owned();
            Err(StratifyError::DuplicateId { column: column.to_owned(), id }.into())
        }
    }
}
