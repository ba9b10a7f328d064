//! Sets of genres that titles have, each once: what follows from the genres alone is worked out once for all titles of a set.

use crate::affinity::GenreAffinity;
use hashbrown::HashMap;

/// Sets of genres, numbered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GenreSets(Vec<Vec<String>>);

impl GenreSets {
    /// The sets of several titles' genres, and the number of each title's.
    pub fn of<'a>(titles: impl Iterator<Item = &'a [String]>) -> (Self, Vec<usize>) {
        let mut sets = Vec::new();
        let mut numbers: HashMap<&[String], usize> = HashMap::new();
        let numbered = titles.map(|genres| {
            *numbers.entry(genres).or_insert_with(|| {
                sets.push(genres.to_vec());
                sets.len() - 1
            })
        });
        let numbered = numbered.collect();
        (Self(sets), numbered)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The affinity to each of them, by number.
    pub fn affinities(&self, affinity: &GenreAffinity<'_>) -> Vec<f64> {
        self.0.iter().map(|genres| affinity.to(genres)).collect()
    }
}
