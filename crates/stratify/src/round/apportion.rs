//! Apportionment: Sainte-Laguë (Webster) and largest remainder (Hamilton), with bounds.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::problem::{Partition, Problem};
use crate::round::{ceil, floor};
use crate::rules::Rounding;

/// Seats for weights: `size` in all, each within its bounds. Ties go to the earlier one.
///
/// ```
/// use nearline_stratify::apportion::{Method, seats};
/// assert_eq!(seats(Method::SainteLague, &[0.47, 0.33, 0.2], 7, None), [4, 2, 1]);
/// assert_eq!(seats(Method::LargestRemainder, &[0.47, 0.33, 0.2], 7, None), [3, 2, 2]);
/// ```
pub fn seats(method: Method, weights: &[f64], size: u64, most: Option<&[u64]>) -> Vec<u64> {
    let upper: Vec<u64> = most.map_or_else(|| vec![u64::MAX; weights.len()], <[u64]>::to_vec);
    bounded(method, weights, &vec![0; weights.len()], &upper, size)
}

/// The method of apportionment, as in the rules.
pub type Method = Rounding;

/// Seats within bounds; bounds win where they leave no room for `size`.
pub(crate) fn bounded(method: Method, weights: &[f64], lower: &[u64], upper: &[u64], size: u64) -> Vec<u64> {
    let sum: f64 = weights.iter().sum();
    let scale = if sum > 0.0 { size as f64 / sum } else { 0.0 };
    let start = |weight: f64| match method {
        Method::SainteLague => (weight * scale + 0.5 + 1e-9).floor(),
        Method::LargestRemainder => (weight * scale + 1e-9).floor(),
    };
    let mut seats: Vec<u64> = (0..weights.len())
        .map(|place| (start(weights[place]) as u64).min(upper[place]).max(lower[place]))
        .collect();
    let claim = |place: usize, seats: u64| match method {
        // Who has the highest quotient gets the next seat.
        Method::SainteLague => weights[place] / (2.0 * seats as f64 + 1.0),
        Method::LargestRemainder => weights[place] * scale - seats as f64 + size as f64,
    };
    let mut total: u64 = seats.iter().sum();
    if total < size {
        let next = |place: usize, seats: &[u64]| (key(claim(place, seats[place])), Reverse(place));
        let mut heap: BinaryHeap<_> = (0..seats.len())
            .filter(|place| seats[*place] < upper[*place] && weights[*place] > 0.0)
            .map(|place| next(place, &seats))
            .collect();
        while let (true, Some((_, Reverse(place)))) = (total < size, heap.pop()) {
            seats[place] += 1;
            total += 1;
            if seats[place] < upper[place] {
                heap.push(next(place, &seats));
            }
        }
    } else {
        let next = |place: usize, seats: &[u64]| (Reverse(key(claim(place, seats[place] - 1))), place);
        let mut heap: BinaryHeap<_> = (0..seats.len())
            .filter(|place| seats[*place] > lower[*place])
            .map(|place| next(place, &seats))
            .collect();
        while let (true, Some((_, place))) = (total > size, heap.pop()) {
            seats[place] -= 1;
            total -= 1;
            if seats[place] > lower[place] {
                heap.push(next(place, &seats));
            }
        }
    }
    seats
}

/// Quotients that differ by rounding errors only are the same.
fn key(quotient: f64) -> u64 {
    (quotient.max(0.0).to_bits() + 0x800) >> 12
}

/// Rounds from the coarsest groups down to the strata.
pub(crate) fn down(
    problem: &Problem,
    chain: &[&Partition],
    rows: &[f64],
    size: f64,
    method: Method,
    is_bounded: bool,
) -> Vec<u64> {
    let everything: Vec<usize> = (0..rows.len()).collect();
    let mut whole = vec![0; rows.len()];
    split(&Node { problem, rows, method, is_bounded }, chain, &everything, size.max(0.0) as u64, &mut whole);
    whole
}

struct Node<'a> {
    problem: &'a Problem,
    rows: &'a [f64],
    method: Method,
    is_bounded: bool,
}

fn split(node: &Node<'_>, chain: &[&Partition], strata: &[usize], size: u64, whole: &mut [u64]) {
    let children: Vec<Vec<usize>> = match chain.first() {
        None => strata.iter().map(|stratum| vec![*stratum]).collect(),
        Some(partition) => {
            let mut groups = vec![Vec::new(); partition.count];
            strata.iter().for_each(|stratum| groups[partition.groups[*stratum]].push(*stratum));
            groups.into_iter().filter(|group: &Vec<usize>| !group.is_empty()).collect()
        }
    };
    let sum = |values: &[f64], child: &Vec<usize>| child.iter().map(|stratum| values[*stratum]).sum::<f64>();
    let weights: Vec<f64> = children.iter().map(|child| sum(node.rows, child)).collect();
    let limits = children.iter().zip(&weights).map(|(child, weight)| {
        let available = sum(&node.problem.available, child) as u64;
        if node.is_bounded {
            (floor(*weight) as u64, (ceil(*weight) as u64).min(available))
        } else {
            (0, available)
        }
    });
    let (lower, upper): (Vec<u64>, Vec<u64>) = limits.unzip();
    let seats = bounded(node.method, &weights, &lower, &upper, size);
    for (child, seats) in children.iter().zip(seats) {
        match (chain.first(), child.as_slice()) {
            (None, [stratum]) => whole[*stratum] = seats,
            _ => split(node, &chain[1..], child, seats, whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sainte_lague_and_largest_remainder_differ_as_in_the_textbook() {
        let shares = [0.47, 0.33, 0.2];
        assert_eq!(seats(Method::LargestRemainder, &shares, 7, None), [3, 2, 2]);
        assert_eq!(seats(Method::SainteLague, &shares, 7, None), [4, 2, 1]);
    }

    #[test]
    fn a_house_that_grows_takes_no_seat_away_under_sainte_lague() {
        let weights = [6.0, 6.0, 2.0];
        assert_eq!(seats(Method::SainteLague, &weights, 10, None), [5, 4, 1]);
        assert_eq!(seats(Method::SainteLague, &weights, 11, None), [5, 5, 1]);
        assert_eq!(seats(Method::LargestRemainder, &weights, 10, None), [4, 4, 2]);
        assert_eq!(seats(Method::LargestRemainder, &weights, 11, None), [5, 5, 1]);
    }

    proptest::proptest! {
        #[test]
        fn seats_add_up_grow_and_keep_their_caps(
            weights in proptest::collection::vec(0.001_f64..100.0, 1..12),
            size in 0_u64..200,
            cap in 5_u64..60,
        ) {
            let most = vec![cap; weights.len()];
            let wanted = size.min(cap * weights.len() as u64);
            let small = seats(Method::SainteLague, &weights, wanted, Some(&most));
            proptest::prop_assert_eq!(small.iter().sum::<u64>(), wanted);
            proptest::prop_assert!(small.iter().all(|seats| *seats <= cap));
            let large = seats(Method::SainteLague, &weights, (wanted + 1).min(cap * weights.len() as u64), Some(&most));
            proptest::prop_assert!(small.iter().zip(&large).all(|(one, two)| one <= two));
        }

        #[test]
        fn largest_remainder_is_within_one_of_the_share(
            weights in proptest::collection::vec(0.001_f64..100.0, 1..12),
            size in 0_u64..200,
        ) {
            let sum: f64 = weights.iter().sum();
            let seats = seats(Method::LargestRemainder, &weights, size, None);
            proptest::prop_assert_eq!(seats.iter().sum::<u64>(), size);
            for (seats, weight) in seats.iter().zip(&weights) {
                proptest::prop_assert!((*seats as f64 - weight / sum * size as f64).abs() < 1.0 + 1e-6);
            }
        }
    }
}
