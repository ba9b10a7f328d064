//! Entities kept whole: all rows of an entity or none, as close to the wanted number as whole entities allow.

/// What whole entities come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The chosen entities, as their places in the input, ascending.
    pub chosen: Vec<usize>,
    /// The rows they have.
    pub rows: u64,
    /// If the wanted number is impossible: the next possible ones below and above.
    pub instead: Option<(Option<u64>, Option<u64>)>,
}

/// The sums that the exact tail looks at: beyond, entities are taken in the order of their hashes.
const TAIL: usize = 4096;

/// Chooses entities, each of a hash and a number of rows, so that their rows come closest to `size`.
///
/// Entities are taken in the order of their hashes as long as that decides nothing; the last ones are chosen exactly
/// (subset sums over up to 4,096 entities). A size that is impossible gives the nearest one, the smaller if both are.
pub fn whole(entities: &[(u64, u64)], size: u64) -> Whole {
    let mut order: Vec<usize> = (0..entities.len()).collect();
    order.sort_unstable_by_key(|entity| (entities[*entity], *entity));
    let largest = entities.iter().map(|(_, rows)| *rows).max().unwrap_or_default();
    let room = largest.saturating_mul(16).max(64);
    let mut chosen = Vec::new();
    let mut open = size;
    let mut next = 0;
    while next < order.len() && open > room && open >= entities[order[next]].1 {
        chosen.push(order[next]);
        open -= entities[order[next]].1;
        next += 1;
    }
    let tail: Vec<usize> = order[next..].iter().take(TAIL).copied().collect();
    let rows: Vec<u64> = tail.iter().map(|entity| entities[*entity].1).collect();
    let limit = (open + largest) as usize;
    let reachable = suffixes(&rows, limit);
    let can = |sum: u64| reachable[0].has(sum as usize);
    let below = (0..=open).rev().find(|sum| can(*sum));
    let above = (open..=limit as u64).find(|sum| can(*sum));
    let instead = (below != Some(open))
        .then(|| (below.map(|sum| size - open + sum), above.map(|sum| size - open + sum)));
    let aim = match (below, above) {
        (Some(below), Some(above)) if above - open < open - below => above,
        (Some(below), _) => below,
        (None, above) => above.unwrap_or_default(),
    };
    let mut left = aim;
    for (place, entity) in tail.iter().enumerate() {
        if rows[place] <= left && reachable[place + 1].has((left - rows[place]) as usize) {
            left -= rows[place];
            chosen.push(*entity);
        }
    }
    chosen.sort_unstable();
    Whole { chosen, rows: size - open + aim, instead }
}

#[derive(Clone)]
struct Sums(Vec<u64>);

impl Sums {
    fn has(&self, sum: usize) -> bool {
        self.0.get(sum / 64).is_some_and(|word| word >> (sum % 64) & 1 == 1)
    }

    /// These sums and each of them plus `rows`.
    fn with(&self, rows: usize) -> Self {
        let (words, bits) = (rows / 64, rows % 64);
        let mut sums = self.clone();
        for place in (words..sums.0.len()).rev() {
            let low = self.0[place - words] << bits;
            let carry = if bits > 0 && place > words { self.0[place - words - 1] >> (64 - bits) } else { 0 };
            sums.0[place] |= low | carry;
        }
        sums
    }
}

/// For each place, the sums that the entities from there on can have.
fn suffixes(rows: &[u64], limit: usize) -> Vec<Sums> {
    let mut sums = vec![Sums(vec![0; limit / 64 + 1])];
    sums[0].0[0] = 1;
    for rows in rows.iter().rev() {
        let last = sums.last().expect("starts with one");
        sums.push(last.with(*rows as usize));
    }
    sums.reverse();
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::mix;

    #[test]
    fn three_three_two_at_four_is_three_or_five() {
        let whole = whole(&[(1, 3), (2, 3), (3, 2)], 4);
        assert_eq!(whole.instead, Some((Some(3), Some(5))));
        assert_eq!(whole.rows, 3);
        assert_eq!(super::whole(&[(1, 3), (2, 3), (3, 2)], 5).instead, None);
    }

    proptest::proptest! {
        #[test]
        fn a_possible_number_is_met_exactly(sizes in proptest::collection::vec(1_u64..30, 1..300), pick in 0_u64..1000) {
            let entities: Vec<(u64, u64)> = sizes.iter().enumerate().map(|(place, rows)| (mix(place as u64), *rows)).collect();
            let wanted: u64 = sizes.iter().enumerate().filter(|(place, _)| mix(*place as u64 ^ pick).is_multiple_of(3)).map(|(_, rows)| rows).sum();
            let whole = whole(&entities, wanted);
            let rows: u64 = whole.chosen.iter().map(|entity| sizes[*entity]).sum();
            proptest::prop_assert_eq!(rows, whole.rows);
            proptest::prop_assert!(rows == wanted || (sizes.len() > 16 && whole.instead.is_some()), "{} for {}", rows, wanted);
        }
    }
}
