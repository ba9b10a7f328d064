//! Rounding under two families of nested groups: a min-cost flow from the groups of the one through the strata to the
//! groups of the other. All capacities are whole, so its solution is.

use std::collections::VecDeque;

use crate::problem::Partition;
use crate::round::{ceil, floor, group_sums};

/// Above, successive shortest paths take too long.
pub(super) const MOST_STRATA: usize = 5_000;

/// A lower bound is an edge that pays more than all strata together can.
const LOWER_BOUND_COST: f64 = -1e5;

#[derive(Default)]
struct Network {
    to: Vec<usize>,
    left: Vec<i64>,
    cost: Vec<f64>,
    out: Vec<Vec<usize>>,
}

impl Network {
    fn node(&mut self) -> usize {
        self.out.push(Vec::new());
        self.out.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, capacity: i64, cost: f64) -> usize {
        let edge = self.to.len();
        self.to.extend([to, from]);
        self.left.extend([capacity, 0]);
        self.cost.extend([cost, -cost]);
        self.out[from].push(edge);
        self.out[to].push(edge + 1);
        edge
    }

    /// An edge that carries `low` rows and possibly up to `high`.
    fn between(&mut self, from: usize, to: usize, low: i64, high: i64) {
        if low > 0 {
            self.edge(from, to, low, LOWER_BOUND_COST);
        }
        if high > low.max(0) {
            self.edge(from, to, high - low.max(0), 0.0);
        }
    }

    /// The cheapest path, as the edge into every node.
    fn cheapest(&self, source: usize) -> (Vec<f64>, Vec<usize>) {
        let mut distance = vec![f64::INFINITY; self.out.len()];
        let mut into = vec![usize::MAX; self.out.len()];
        let mut queued = vec![false; self.out.len()];
        let mut queue = VecDeque::from([source]);
        distance[source] = 0.0;
        while let Some(node) = queue.pop_front() {
            queued[node] = false;
            for edge in &self.out[node] {
                let to = self.to[*edge];
                let through = distance[node] + self.cost[*edge];
                if self.left[*edge] > 0 && through < distance[to] - 1e-9 {
                    distance[to] = through;
                    into[to] = *edge;
                    if !std::mem::replace(&mut queued[to], true) {
                        queue.push_back(to);
                    }
                }
            }
        }
        (distance, into)
    }

    fn run(&mut self, source: usize, sink: usize, mut units: i64) {
        while units > 0 {
            let (distance, into) = self.cheapest(source);
            if distance[sink].is_infinite() {
                return;
            }
            let mut path = Vec::new();
            let mut node = sink;
            while node != source {
                path.push(into[node]);
                node = self.to[into[node] ^ 1];
            }
            let pushed = path.iter().map(|edge| self.left[*edge]).min().unwrap_or(0).min(units);
            for edge in path {
                self.left[edge] -= pushed;
                self.left[edge ^ 1] += pushed;
            }
            units -= pushed;
        }
    }
}

/// Rounds to `size` rows; every group's sum is its floor or its ceiling.
pub(super) fn round(rows: &[f64], one: &[&Partition], two: &[&Partition], size: f64) -> Vec<u64> {
    let floors: Vec<f64> = rows.iter().map(|rows| floor(*rows)).collect();
    let mut network = Network::default();
    let (source, sink) = (network.node(), network.node());
    let from = tree(&mut network, one, rows, &floors, source, false);
    let into = tree(&mut network, two, rows, &floors, sink, true);
    let mut edges = Vec::new();
    for (stratum, value) in rows.iter().enumerate() {
        let fraction = value - floors[stratum];
        if fraction > crate::round::WHOLE {
            edges.push((stratum, network.edge(from[stratum], into[stratum], 1, 1.0 - 2.0 * fraction)));
        }
    }
    network.run(source, sink, (size - floors.iter().sum::<f64>()).round() as i64);
    let mut whole: Vec<u64> = floors.iter().map(|rows| *rows as u64).collect();
    for (stratum, edge) in edges {
        whole[stratum] += u64::from(network.left[edge] == 0);
    }
    whole
}

/// The nodes of a chain's groups, hung below a root; gives every stratum its node.
fn tree(
    network: &mut Network,
    chain: &[&Partition],
    rows: &[f64],
    floors: &[f64],
    root: usize,
    reversed: bool,
) -> Vec<usize> {
    let mut above = vec![root; rows.len()];
    for partition in chain {
        let sums = group_sums(partition, rows);
        let base = group_sums(partition, floors);
        let nodes: Vec<usize> = (0..partition.count).map(|_| network.node()).collect();
        let mut hung = vec![false; partition.count];
        for (stratum, above) in above.iter().enumerate() {
            let group = partition.groups[stratum];
            if !std::mem::replace(&mut hung[group], true) {
                let low = (floor(sums[group]) - base[group]) as i64;
                let high = (ceil(sums[group]) - base[group]) as i64;
                let (from, to) = if reversed { (nodes[group], *above) } else { (*above, nodes[group]) };
                network.between(from, to, low, high);
            }
        }
        (0..rows.len()).for_each(|stratum| above[stratum] = nodes[partition.groups[stratum]]);
    }
    above
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn partition(groups: &[usize]) -> Partition {
        let count = groups.iter().max().map_or(0, |group| group + 1);
        Partition { keys: Vec::new(), groups: groups.to_vec(), count, shares: None, first: 0 }
    }

    #[test]
    fn a_two_by_two_table_keeps_its_margins() {
        let (rows, columns) = (partition(&[0, 0, 1, 1]), partition(&[0, 1, 0, 1]));
        let whole = round(&[2.5, 2.5, 1.5, 3.5], &[&rows], &[&columns], 10.0);
        assert!(whole == [2, 3, 2, 3] || whole == [3, 2, 1, 4], "{whole:?}");
    }

    proptest::proptest! {
        #[test]
        fn every_sum_of_two_margins_is_its_floor_or_ceiling(
            cells in proptest::collection::vec(0.0_f64..9.0, 20),
        ) {
            let rows = partition(&(0..20).map(|cell| cell / 5).collect::<Vec<_>>());
            let columns = partition(&(0..20).map(|cell| cell % 5).collect::<Vec<_>>());
            let size = cells.iter().sum::<f64>().floor();
            let scale = size / cells.iter().sum::<f64>();
            let cells: Vec<f64> = cells.iter().map(|cell| cell * scale).collect();
            let whole: Vec<f64> = round(&cells, &[&rows], &[&columns], size).into_iter().map(|rows| rows as f64).collect();
            proptest::prop_assert_eq!(whole.iter().sum::<f64>(), size);
            for margin in [&rows, &columns] {
                for (whole, exact) in group_sums(margin, &whole).iter().zip(group_sums(margin, &cells)) {
                    proptest::prop_assert!((whole - exact).abs() < 1.0, "{} for {}", whole, exact);
                }
            }
        }
    }
}
