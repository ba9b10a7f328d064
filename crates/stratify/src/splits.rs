//! Parts such as train and test: by row within strata, by entity, by time with an embargo; no entity in two parts.

use crate::StratifyError;
use crate::apportion::{Method, seats};
use crate::problem::Partition;
use crate::round::split_table;
use crate::rules::SplitRule;
use crate::select::{mix, unit};

/// What a split looks at, one entry per selected row.
#[derive(Debug, Clone, Copy)]
pub struct SplitRows<'a> {
    /// Strata.
    pub strata: &'a [usize],
    /// Hashes of ids.
    pub hashes: &'a [u64],
    /// Hashes of entities, if the rule has an entity.
    pub entities: Option<&'a [u64]>,
    /// Times, if the rule has a time.
    pub times: Option<&'a [i64]>,
}

/// Each row's part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// The part's place in the rule, none for a row that is left out.
    pub part: Vec<Option<usize>>,
    /// The first time of every part but the first.
    pub cuts: Vec<i64>,
    /// Rows left out because they are too close before a cut.
    pub embargoed: u64,
    /// Rows left out because their entity belongs to a later part.
    pub straddling: u64,
}

/// Gives every row its part.
///
/// By row, each stratum is divided by the shares, and the parts' totals are off by less than one. By entity, all rows
/// of an entity fall where the entity's hash falls among the cumulative shares. By time, parts follow each other; rows
/// within the embargo before a cut are left out. By both, an entity belongs to the last part it reaches, and its
/// earlier rows are left out.
///
/// # Errors
/// A rule that needs entities or times that were not given.
pub fn split(rule: &SplitRule, rows: &SplitRows<'_>) -> Result<Parts, StratifyError> {
    let missing = |what: &str| StratifyError::rule("split", format!("there is no column of {what}"));
    match (&rule.entity, &rule.time) {
        (None, None) => Ok(Parts { part: by_row(rule, rows), ..Parts::default() }),
        (Some(_), None) => {
            let entities = rows.entities.ok_or_else(|| missing("entities"))?;
            let part = entities.iter().map(|entity| Some(part_at(rule, unit(mix(*entity))))).collect();
            Ok(Parts { part, ..Parts::default() })
        }
        (entity, Some(_)) => {
            let times = rows.times.ok_or_else(|| missing("times"))?;
            let mut parts = by_time(rule, times);
            if entity.is_some() {
                let entities = rows.entities.ok_or_else(|| missing("entities"))?;
                separate(&mut parts, entities);
            }
            Ok(parts)
        }
    }
}

/// An embargo of microseconds in a unit of so many nanoseconds, up to its next whole one.
pub fn embargo_in(micros: i64, unit_nanos: i64) -> i64 {
    let (nanos, unit) = (i128::from(micros) * 1_000, i128::from(unit_nanos.max(1)));
    let units = nanos / unit + i128::from(nanos % unit > 0);
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// The part in which a number within 0 and 1 falls.
fn part_at(rule: &SplitRule, number: f64) -> usize {
    let mut upper = 0.0;
    let last = rule.parts.iter().rposition(|part| part.share > 0.0).unwrap_or_default();
    let found = rule.parts.iter().position(|part| {
        upper += part.share;
        number < upper
    });
    found.unwrap_or(last).min(last)
}

/// How many rows of each stratum go to each part: strata are whole, totals off by less than one.
pub fn sizes(rows: &[u64], shares: &[f64]) -> Vec<Vec<u64>> {
    let (strata, parts) = (rows.len(), shares.len());
    let cells: Vec<f64> =
        rows.iter().flat_map(|rows| shares.iter().map(move |share| *rows as f64 * share)).collect();
    let by = |group: &dyn Fn(usize) -> usize, count| Partition {
        keys: Vec::new(),
        groups: (0..cells.len()).map(group).collect(),
        count,
        shares: None,
        first: 0,
    };
    match split_table(&cells, &by(&|cell| cell / parts, strata), &by(&|cell| cell % parts, parts)) {
        Some(whole) => whole.chunks(parts).map(<[u64]>::to_vec).collect(),
        None => rows.iter().map(|rows| seats(Method::LargestRemainder, shares, *rows, None)).collect(),
    }
}

fn by_row(rule: &SplitRule, rows: &SplitRows<'_>) -> Vec<Option<usize>> {
    let strata = rows.strata.iter().max().map_or(0, |last| last + 1);
    let mut members: Vec<Vec<(u64, usize)>> = vec![Vec::new(); strata];
    for (row, stratum) in rows.strata.iter().enumerate() {
        // A second hash: the first one already decided who was selected.
        members[*stratum].push((mix(rows.hashes[row]), row));
    }
    let counts: Vec<u64> = members.iter().map(|members| members.len() as u64).collect();
    let shares: Vec<f64> = rule.parts.iter().map(|part| part.share).collect();
    let mut part = vec![None; rows.strata.len()];
    for (mut members, sizes) in members.into_iter().zip(sizes(&counts, &shares)) {
        members.sort_unstable();
        let places =
            sizes.iter().enumerate().flat_map(|(place, size)| std::iter::repeat_n(place, *size as usize));
        members.iter().zip(places).for_each(|((_, row), place)| part[*row] = Some(place));
    }
    part
}

fn by_time(rule: &SplitRule, times: &[i64]) -> Parts {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let mut share = 0.0;
    let mut parts = Parts::default();
    for part in &rule.parts[..rule.parts.len() - 1] {
        share += part.share;
        let place = (share * sorted.len() as f64).round() as usize;
        parts.cuts.push(sorted.get(place).copied().unwrap_or(i64::MAX));
    }
    for time in times {
        let place = parts.cuts.partition_point(|cut| cut <= time);
        let embargoed = parts.cuts.get(place).is_some_and(|cut| cut.saturating_sub(rule.embargo) <= *time);
        parts.embargoed += u64::from(embargoed);
        parts.part.push((!embargoed).then_some(place));
    }
    parts
}

/// Leaves out rows of entities that reach a later part.
fn separate(parts: &mut Parts, entities: &[u64]) {
    let mut last: std::collections::HashMap<u64, usize> = std::collections::HashMap::new();
    for (entity, part) in entities.iter().zip(&parts.part) {
        if let Some(part) = part {
            let known = last.entry(*entity).or_default();
            *known = (*known).max(*part);
        }
    }
    for (entity, part) in entities.iter().zip(&mut parts.part) {
        if part.is_some_and(|part| part < last[entity]) {
            *part = None;
            parts.straddling += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Part;

    fn rule(shares: &[f64]) -> SplitRule {
        let parts =
            shares.iter().enumerate().map(|(place, share)| Part { name: format!("p{place}"), share: *share });
        SplitRule { parts: parts.collect(), entity: None, time: None, embargo: 0 }
    }

    #[test]
    fn every_stratum_is_divided_and_the_totals_too() {
        // scikit-learn: train_test_split(test_size=5, stratify=...) of 8, 6 and 6 rows takes 2, 1.5 and 1.5.
        let sizes = sizes(&[8, 6, 6], &[0.75, 0.25]);
        assert_eq!(sizes.iter().map(|sizes| sizes[1]).sum::<u64>(), 5);
        assert_eq!(sizes[0], [6, 2]);
        assert!(sizes[1..].iter().all(|sizes| sizes[1] == 1 || sizes[1] == 2));
    }

    #[test]
    fn multi_labels_are_spread_as_in_the_example_of_iterative_stratification() {
        // y = [0,0],[0,0],[0,1],[0,1],[1,1],[1,1],[1,0],[1,0] in two folds: one of each kind in each.
        let strata = [0, 0, 1, 1, 2, 2, 3, 3];
        let hashes: Vec<u64> = (0..8).map(mix).collect();
        let rows = SplitRows { strata: &strata, hashes: &hashes, entities: None, times: None };
        let parts = split(&rule(&[0.5, 0.5]), &rows).unwrap();
        for stratum in 0..4 {
            assert_ne!(parts.part[2 * stratum], parts.part[2 * stratum + 1]);
        }
    }

    #[test]
    fn no_entity_is_in_two_parts() {
        let entities: Vec<u64> = (0..1000).map(|row| mix(row % 90)).collect();
        let hashes: Vec<u64> = (0..1000).map(mix).collect();
        let times: Vec<i64> = (0..1000).collect();
        let rows =
            SplitRows { strata: &[0; 1000], hashes: &hashes, entities: Some(&entities), times: Some(&times) };
        for time in [None, Some("at".to_owned())] {
            let rule = SplitRule { entity: Some("member".into()), time, ..rule(&[0.6, 0.2, 0.2]) };
            let parts = split(&rule, &rows).unwrap();
            for (row, part) in parts.part.iter().enumerate() {
                let same = (row % 90..1000).step_by(90).filter_map(|other| parts.part[other]);
                assert!(part.is_none() || same.into_iter().all(|other| Some(other) == *part));
            }
        }
    }

    #[test]
    fn an_embargo_is_as_long_in_every_unit() {
        let day = 86_400_000_000;
        let (second, nanos_of_day) = (1_000_000_000, 86_400_000_000_000);
        assert_eq!(embargo_in(day, 1), nanos_of_day);
        assert_eq!([1_000, 1_000_000, second].map(|unit| embargo_in(day, unit)), [day, 86_400_000, 86_400]);
        // What is less than a unit is one.
        assert_eq!(
            (embargo_in(1, second), embargo_in(day + 1, nanos_of_day), embargo_in(0, second)),
            (1, 2, 0)
        );
        assert_eq!(embargo_in(i64::MAX, 1), i64::MAX);
    }

    #[test]
    fn the_embargo_before_a_cut_is_empty() {
        let times: Vec<i64> = (0..100).collect();
        let hashes = [0; 100];
        let rows = SplitRows { strata: &[0; 100], hashes: &hashes, entities: None, times: Some(&times) };
        let rule = SplitRule { time: Some("at".into()), embargo: 5, ..rule(&[0.8, 0.2]) };
        let parts = split(&rule, &rows).unwrap();
        assert_eq!((parts.cuts.as_slice(), parts.embargoed), ([80].as_slice(), 5));
        assert!(
            (0..75).all(|row| parts.part[row] == Some(0)) && (75..80).all(|row| parts.part[row].is_none())
        );
        assert!((80..100).all(|row| parts.part[row] == Some(1)));
    }
}
