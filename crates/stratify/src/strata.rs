//! The strata of a data set: which combinations of levels there are, and how many rows each has.

use std::collections::{BTreeMap, HashMap};

/// How a missing value is written as a level.
pub const NULL_LEVEL: &str = "(null)";
/// What joins the levels of several keys into one text.
pub const JOINT: char = '|';

/// The strata of a data set, in an order that depends on the levels alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Census {
    keys: Vec<String>,
    levels: Vec<Vec<String>>,
    strata: Vec<Vec<u32>>,
    rows: Vec<u64>,
    index: HashMap<Vec<u32>, usize>,
}

impl Census {
    /// Counts rows given as levels, one per key; equal combinations add up.
    ///
    /// ```
    /// let census = nearline_stratify::Census::count(&["sex"], [(vec!["f"], 3), (vec!["m"], 2), (vec!["f"], 1)]);
    /// assert_eq!(census.rows(), &[4, 2]);
    /// ```
    pub fn count<L: AsRef<str>>(keys: &[&str], rows: impl IntoIterator<Item = (Vec<L>, u64)>) -> Self {
        let mut table: BTreeMap<Vec<String>, u64> = BTreeMap::new();
        for (levels, count) in rows {
            let levels: Vec<String> = levels.iter().map(|level| level.as_ref().to_owned()).collect();
            assert_eq!(levels.len(), keys.len(), "one level per key");
            *table.entry(levels).or_default() += count;
        }
        Self::from_table(keys.iter().map(ToString::to_string).collect(), table)
    }

    /// The strata of a table from levels to rows. Combinations without rows are left out.
    pub fn from_table(keys: Vec<String>, table: BTreeMap<Vec<String>, u64>) -> Self {
        let mut levels: Vec<Vec<String>> = vec![Vec::new(); keys.len()];
        for combination in table.iter().filter(|(_, rows)| **rows > 0).map(|(levels, _)| levels) {
            for (known, level) in levels.iter_mut().zip(combination) {
                known.push(level.clone());
            }
        }
        for known in &mut levels {
            known.sort();
            known.dedup();
        }
        let mut census = Self { keys, levels, ..Self::default() };
        for (combination, rows) in table.into_iter().filter(|(_, rows)| *rows > 0) {
            let ids = census.ids(&combination).expect("every level was collected above");
            census.index.insert(ids.clone(), census.rows.len());
            census.strata.push(ids);
            census.rows.push(rows);
        }
        census
    }

    fn ids<L: AsRef<str>>(&self, levels: &[L]) -> Option<Vec<u32>> {
        levels.iter().enumerate().map(|(key, level)| self.level(key, level.as_ref())).collect()
    }

    /// The names of the keys.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// The place of a key among the keys.
    pub fn key(&self, name: &str) -> Option<usize> {
        self.keys.iter().position(|key| key == name)
    }

    /// The levels of a key, ascending as text.
    pub fn levels(&self, key: usize) -> &[String] {
        &self.levels[key]
    }

    /// The place of a level among its key's levels.
    pub fn level(&self, key: usize, level: &str) -> Option<u32> {
        let found = self.levels[key].binary_search_by(|known| known.as_str().cmp(level)).ok()?;
        Some(u32::try_from(found).expect("a key has fewer than 2^32 levels"))
    }

    /// How many strata there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows per stratum.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// All rows.
    pub fn total(&self) -> u64 {
        self.rows.iter().sum()
    }

    /// The stratum of levels given by their places.
    pub fn find(&self, levels: &[u32]) -> Option<usize> {
        self.index.get(levels).copied()
    }

    /// The stratum of levels given by their names.
    pub fn find_named<L: AsRef<str>>(&self, levels: &[L]) -> Option<usize> {
        self.find(&self.ids(levels)?)
    }

    /// The places of a stratum's levels, one per key.
    pub fn stratum(&self, stratum: usize) -> &[u32] {
        &self.strata[stratum]
    }

    /// The names of a stratum's levels, one per key.
    pub fn names(&self, stratum: usize) -> Vec<&str> {
        self.strata[stratum]
            .iter()
            .zip(&self.levels)
            .map(|(level, known)| known[*level as usize].as_str())
            .collect()
    }

    /// The names of a stratum's levels of some keys, joined with `|`.
    pub fn joint(&self, stratum: usize, keys: &[usize]) -> String {
        let names = keys.iter().map(|key| self.levels[*key][self.strata[stratum][*key] as usize].as_str());
        names.collect::<Vec<_>>().join("|")
    }

    /// A stratum in words: `country=DE, device=tv`.
    pub fn label(&self, stratum: usize) -> String {
        let pairs = self.keys.iter().zip(self.names(stratum)).map(|(key, level)| format!("{key}={level}"));
        pairs.collect::<Vec<_>>().join(", ")
    }

    /// The strata of each combination of levels of some keys, by their joined names.
    pub fn groups(&self, keys: &[usize]) -> BTreeMap<String, Vec<usize>> {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for stratum in 0..self.len() {
            groups.entry(self.joint(stratum, keys)).or_default().push(stratum);
        }
        groups
    }

    /// The rows of some strata together.
    pub fn rows_of(&self, strata: &[usize]) -> u64 {
        strata.iter().map(|stratum| self.rows[*stratum]).sum()
    }
}

/// The level of a number among ascending bounds: `<18`, `[18,35)`, `>=35`.
pub fn bin_level(bounds: &[f64], value: f64) -> String {
    if value.is_nan() {
        return NULL_LEVEL.to_owned();
    }
    let above = bounds.partition_point(|bound| *bound <= value);
    bin_name(bounds, above)
}

/// The name of the bin with so many bounds below it.
pub fn bin_name(bounds: &[f64], above: usize) -> String {
    match (above.checked_sub(1).map(|below| bounds[below]), bounds.get(above)) {
        (None, None) => "all".to_owned(),
        (None, Some(high)) => format!("<{high}"),
        (Some(low), Some(high)) => format!("[{low},{high})"),
        (Some(low), None) => format!(">={low}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_rows_does_not_change_strata() {
        let one = Census::count(&["a", "b"], [(vec!["x", "2"], 1), (vec!["w", "1"], 5), (vec!["x", "2"], 2)]);
        let two = Census::count(&["a", "b"], [(vec!["w", "1"], 5), (vec!["x", "2"], 3)]);
        assert_eq!(one, two);
        assert_eq!(one.label(1), "a=x, b=2");
        assert_eq!(one.find_named(&["x", "2"]), Some(1));
        assert_eq!(one.find_named(&["x", "1"]), None);
    }

    #[test]
    fn numbers_fall_into_half_open_bins() {
        let bounds = [18.0, 35.0];
        let names: Vec<_> =
            [17.9, 18.0, 34.0, 35.0, f64::NAN].iter().map(|v| bin_level(&bounds, *v)).collect();
        assert_eq!(names, ["<18", "[18,35)", "[18,35)", ">=35", "(null)"]);
    }
}
