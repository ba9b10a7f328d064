//! A cap per entity met by a maximal flow: it meets a plan whenever any choice of rows does.

use std::collections::{BTreeMap, BTreeSet};

use crate::StratifyError;
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

/// Takes `take[s]` rows of each stratum `s`, at most `cap` of each entity, as many as any choice could.
///
/// Within a stratum and an entity the smallest hashes are taken.
///
/// # Errors
/// More than four million pairs of stratum and entity.
pub fn assign(rows: &[MemberRow], take: &[u64], cap: u64) -> Result<Assigned, StratifyError> {
    let mut pairs: BTreeMap<(usize, u64), Vec<(u64, u64)>> = BTreeMap::new();
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
    let entities: BTreeSet<u64> = pairs.keys().map(|(_, entity)| *entity).collect();
    let place: BTreeMap<u64, usize> =
        entities.iter().enumerate().map(|(place, entity)| (*entity, place)).collect();
    let (source, sink) = (take.len() + place.len(), take.len() + place.len() + 1);
    let mut network = Network::new(sink + 1, 0.5);
    let wanted: Vec<usize> =
        take.iter().enumerate().map(|(s, take)| network.edge(source, s, *take as f64)).collect();
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
    let taken = order.iter().zip(edges).flat_map(|((_, rows), edge)| {
        let count = network.flow(edge).round() as usize;
        rows[..count].iter().map(|(_, row)| *row)
    });
    let mut taken: Vec<u64> = taken.collect();
    taken.sort_unstable();
    let missing =
        take.iter().zip(wanted).map(|(take, edge)| take - network.flow(edge).round() as u64).collect();
    Ok(Assigned { rows: taken, missing })
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
}
