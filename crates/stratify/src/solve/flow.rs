//! Max-flow (Dinic 1970), and what its minimal cut says about two margins.

use std::collections::VecDeque;

use crate::problem::{Problem, Wanted};
use crate::solve::{Boxes, is_size};

/// A network with capacities in rows.
pub(crate) struct Network {
    edges: Vec<(usize, f64)>,
    out: Vec<Vec<usize>>,
    level: Vec<u32>,
    next: Vec<usize>,
    least: f64,
}

impl Network {
    /// A network of so many nodes; capacities below `least` count as none.
    pub fn new(nodes: usize, least: f64) -> Self {
        Self { edges: Vec::new(), out: vec![Vec::new(); nodes], level: Vec::new(), next: Vec::new(), least }
    }

    /// Adds an edge and gives its number.
    pub fn edge(&mut self, from: usize, to: usize, capacity: f64) -> usize {
        let edge = self.edges.len();
        self.edges.push((to, capacity));
        self.edges.push((from, 0.0));
        self.out[from].push(edge);
        self.out[to].push(edge + 1);
        edge
    }

    /// What flows through an edge.
    pub fn flow(&self, edge: usize) -> f64 {
        self.edges[edge + 1].1
    }

    /// The largest flow.
    pub fn run(&mut self, source: usize, sink: usize) -> f64 {
        let mut total = 0.0;
        while self.reach(source)[sink] != u32::MAX {
            self.next = vec![0; self.out.len()];
            loop {
                let pushed = self.push(source, sink);
                if pushed <= self.least {
                    break;
                }
                total += pushed;
            }
        }
        total
    }

    /// The distance of every node from the source through edges with capacity left.
    pub fn reach(&mut self, source: usize) -> &[u32] {
        self.level = vec![u32::MAX; self.out.len()];
        self.level[source] = 0;
        let mut queue = VecDeque::from([source]);
        while let Some(node) = queue.pop_front() {
            for edge in &self.out[node] {
                let (to, left) = self.edges[*edge];
                if left > self.least && self.level[to] == u32::MAX {
                    self.level[to] = self.level[node] + 1;
                    queue.push_back(to);
                }
            }
        }
        &self.level
    }

    /// Pushes along one shortest path, without recursion: paths can be long.
    fn push(&mut self, source: usize, sink: usize) -> f64 {
        let mut path: Vec<usize> = Vec::new();
        let mut node = source;
        while node != sink {
            let step = self.out[node][self.next[node]..].iter().position(|edge| {
                let (to, left) = self.edges[*edge];
                left > self.least && self.level[to] == self.level[node] + 1
            });
            match step {
                Some(skipped) => {
                    self.next[node] += skipped;
                    let edge = self.out[node][self.next[node]];
                    path.push(edge);
                    node = self.edges[edge].0;
                }
                None => {
                    self.next[node] = self.out[node].len();
                    let Some(edge) = path.pop() else { return 0.0 };
                    node = self.edges[edge ^ 1].0;
                    self.next[node] += 1;
                }
            }
        }
        let pushed = path.iter().map(|edge| self.edges[*edge].1).fold(f64::INFINITY, f64::min);
        for edge in path {
            self.edges[edge].1 -= pushed;
            self.edges[edge ^ 1].1 += pushed;
        }
        pushed
    }
}

/// Two margins that no table has: the constraints of the cut.
pub(super) struct Cut {
    /// Constraints of the first margin that want too much.
    pub wanting: Vec<usize>,
    /// Constraints of the second that take too little of it.
    pub taking: Vec<usize>,
    /// How many rows cannot be placed.
    pub missing: f64,
}

/// Whether a problem is two margins of shares at an exact size, and bounds per stratum from above.
pub(super) fn applies(problem: &Problem) -> bool {
    let shared: Vec<_> = problem.partitions.iter().filter(|partition| partition.shares.is_some()).collect();
    let said: usize = shared.iter().map(|partition| partition.count).sum();
    let rest = problem.constraints.len() - said;
    let plain = problem.constraints.iter().filter(|c| is_size(c) || upper_bound(c)).count();
    shared.len() == 2 && matches!(problem.wanted, Wanted::Exactly(_)) && rest <= plain && {
        let firsts: Vec<_> = shared.iter().map(|p| p.first..p.first + p.count).collect();
        let others = problem
            .constraints
            .iter()
            .enumerate()
            .filter(|(c, _)| !firsts.iter().any(|range| range.contains(c)));
        others.into_iter().all(|(_, c)| is_size(c) || upper_bound(c))
    }
}

fn upper_bound(constraint: &crate::problem::Constraint) -> bool {
    constraint.terms.len() == 1 && constraint.size == 0.0 && constraint.lower <= 0.0
}

/// The minimal cut of two margins, if it is smaller than the size.
pub(super) fn cut(problem: &Problem, size: f64) -> Option<Cut> {
    let boxes = Boxes::fold(&problem.available, &problem.constraints)?;
    let shared: Vec<_> = problem.partitions.iter().filter(|partition| partition.shares.is_some()).collect();
    let [rows, columns] = shared.as_slice() else { return None };
    let (source, sink) = (rows.count + columns.count, rows.count + columns.count + 1);
    let mut network = Network::new(sink + 1, 1e-12 * size.max(1.0));
    let share = |partition: &crate::problem::Partition, group: usize| {
        partition.shares.as_ref().map_or(0.0, |shares| shares[group]) * size
    };
    (0..rows.count).for_each(|group| {
        network.edge(source, group, share(rows, group));
    });
    (0..columns.count).for_each(|group| {
        network.edge(rows.count + group, sink, share(columns, group));
    });
    for (stratum, upper) in boxes.upper.iter().enumerate() {
        network.edge(rows.groups[stratum], rows.count + columns.groups[stratum], *upper);
    }
    let missing = size - network.run(source, sink);
    if missing <= 1e-9 * size.max(1.0) {
        return None;
    }
    let reached: Vec<bool> = network.reach(source).iter().map(|level| *level != u32::MAX).collect();
    let wanting = (0..rows.count).filter(|group| reached[*group]).map(|group| rows.first + group).collect();
    let taking =
        (0..columns.count).filter(|group| reached[rows.count + group]).map(|group| columns.first + group);
    Some(Cut { wanting, taking: taking.collect(), missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_flow_goes_around() {
        let mut network = Network::new(4, 0.0);
        let edges = [(0, 1, 3.0), (0, 2, 2.0), (1, 2, 5.0), (1, 3, 2.0), (2, 3, 3.0)];
        let numbers: Vec<_> =
            edges.iter().map(|(from, to, capacity)| network.edge(*from, *to, *capacity)).collect();
        assert_eq!(network.run(0, 3), 5.0);
        assert_eq!(network.flow(numbers[2]), 1.0);
    }
}
