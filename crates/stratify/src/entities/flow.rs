//! A cap per entity met by a maximal flow: it meets a plan whenever any choice of rows does.

use std::collections::{BTreeMap, BTreeSet};

use crate::StratifyError;
use crate::apportion::{Method, seats};
use crate::solve::flow::Network;

/// Above, the network would not fit.
const MOST_EDGES: u64 = 4_000_000;

/// A row that may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberRow {
    /// Its stratum.
    pub stratum: usize,
    /// Its entity.
    pub entity: u64,
    /// Its hash.
    pub hash: u64,
    /// Its number.
    pub row: u64,
}

/// Which rows are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// The rows, ascending.
    pub rows: Vec<u64>,
    /// Per stratum, how many rows are missing of what was wanted.
    pub missing: Vec<u64>,
}

/// The rows of each stratum and entity, by hash.
type Pairs = BTreeMap<(usize, u64), Vec<(u64, u64)>>;

/// Takes `take[s]` rows of each stratum `s`, at most `cap` of each entity, as many as any choice could. Where that is less
/// than what is wanted, strata share it in proportion to what they want, as far as their entities allow.
///
/// Within a stratum and an entity the smallest hashes are taken.
///
/// # Errors
/// More than four million pairs of stratum and entity.
pub fn assign(rows: &[MemberRow], take: &[u64], cap: u64) -> Result<Assigned, StratifyError> {
    let mut pairs = Pairs::new();
    for row in rows {
        pairs.entry((row.stratum, row.entity)).or_default().push((row.hash, row.row));
    }
    if pairs.len() as u64 > MOST_EDGES {
        return Err(StratifyError::TooLarge {
            what: "a cap per entity by flow",
            needed: pairs.len() as u64,
            unit: "pairs of stratum and entity",
            limit: MOST_EDGES,
            instead: "use `method = \"thin\"`",
        });
    }
    pairs.values_mut().for_each(|rows| rows.sort_unstable());
    let all = flow(&pairs, take, take, cap);
    let missing: u64 = all.missing.iter().sum();
    if missing == 0 {
        return Ok(all);
    }
    let most = take.iter().sum::<u64>() - missing;
    let weights: Vec<f64> = take.iter().map(|take| *take as f64).collect();
    let shares = seats(Method::LargestRemainder, &weights, most, Some(take));
    Ok(flow(&pairs, &shares, take, cap))
}

/// The largest flow that first fills so much of each stratum as it can, and then the rest of what is wanted.
fn flow(pairs: &Pairs, first: &[u64], take: &[u64], cap: u64) -> Assigned {
    let entities: BTreeSet<u64> = pairs.keys().map(|(_, entity)| *entity).collect();
    let place: BTreeMap<u64, usize> =
        entities.iter().enumerate().map(|(place, entity)| (*entity, place)).collect();
    let (source, sink) = (take.len() + place.len(), take.len() + place.len() + 1);
    let mut network = Network::new(sink + 1, 0.5);
    let mut wanted: Vec<(usize, usize)> =
        first.iter().enumerate().map(|(s, first)| (s, network.edge(source, s, *first as f64))).collect();
    place.values().for_each(|entity| {
        network.edge(take.len() + entity, sink, cap as f64);
    });
    // The smallest hashes first: they are taken unless a plan needs otherwise.
    let mut order: Vec<_> = pairs.iter().collect();
    order.sort_by_key(|(_, rows)| rows[0]);
    let edges: Vec<usize> = order
        .iter()
        .map(|((stratum, entity), rows)| {
            network.edge(*stratum, take.len() + place[entity], rows.len() as f64)
        })
        .collect();
    network.run(source, sink);
    // What flows from the source already goes on to do so.
    for (stratum, (take, first)) in take.iter().zip(first).enumerate() {
        if take > first {
            wanted.push((stratum, network.edge(source, stratum, (take - first) as f64)));
        }
    }
    network.run(source, sink);
    let taken = order.iter().zip(edges).flat_map(|((_, rows), edge)| {
        let count = network.flow(edge).round() as usize;
        rows[..count].iter().map(|(_, row)| *row)
    });
    let mut taken: Vec<u64> = taken.collect();
    taken.sort_unstable();
    let mut missing = take.to_vec();
    for (stratum, edge) in wanted {
        missing[stratum] -= network.flow(edge).round() as u64;
    }
    Assigned { rows: taken, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stratum: usize, entity: u64, row: u64) -> MemberRow {
        MemberRow { stratum, entity, hash: row, row }
    }

    #[test]
    fn a_flow_finds_what_greed_may_miss() {
        // X has members 1 and 2, Y has 1: taking X's 1 first would leave Y with none.
        let assigned = assign(&[row(0, 1, 10), row(0, 2, 20), row(1, 1, 30)], &[1, 1], 1).unwrap();
        assert_eq!(assigned, Assigned { rows: vec![20, 30], missing: vec![0, 0] });
    }

    #[test]
    fn what_cannot_be_met_is_counted() {
        let assigned = assign(&[row(0, 1, 10), row(0, 1, 11), row(1, 1, 30)], &[2, 1], 2).unwrap();
        assert_eq!((assigned.rows.len(), assigned.missing.iter().sum::<u64>()), (2, 1));
    }

    #[test]
    fn what_there_is_is_shared_in_proportion_to_what_is_wanted() {
        // Ten members, each with rows of both strata, may give one row each: six and three of ten, and one to spare.
        let rows: Vec<MemberRow> = (0..40).map(|n| row(usize::from(n >= 20), n % 10, n)).collect();
        let assigned = assign(&rows, &[18, 9], 1).unwrap();
        assert_eq!(assigned.rows.len(), 10);
        assert_eq!(assigned.missing, [11, 6]);
    }
}
