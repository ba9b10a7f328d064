//! Sets of genres that titles have, each once: what follows from the genres alone is worked out once for all titles of a set.

use crate::affinity::GenreAffinity;
use hashbrown::HashMap;

/// Sets of genres, numbered.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct GenreSets {
    /// All genres, each once.
    names: Vec<String>,
    /// By set: the numbers of its genres, in their order.
    sets: Vec<Vec<usize>>,
}

impl GenreSets {
    /// The sets of several titles' genres, and the number of each title's.
    pub fn of<'a>(titles: impl Iterator<Item = &'a [String]>) -> (Self, Vec<usize>) {
        let mut made = Self::default();
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut numbers: HashMap<&[String], usize> = HashMap::new();
        let numbered = titles.map(|genres| {
            *numbers.entry(genres).or_insert_with(|| {
                let number = |name: &'a String| {
                    *names.entry(name).or_insert_with(|| {
                        made.names.push(name.clone());
                        made.names.len() - 1
                    })
                };
                made.sets.push(genres.iter().map(number).collect());
                made.sets.len() - 1
            })
        });
        let numbered = numbered.collect();
        (made, numbered)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sets.len()
    }

    /// The affinity to each of them, by number.
    pub fn affinities(&self, affinity: &GenreAffinity<'_>) -> Vec<f64> {
        let to_each: Vec<f64> = self.names.iter().map(|name| affinity.to_genre(name)).collect();
        let to_set = |genres: &Vec<usize>| affinity.mean(genres.iter().map(|genre| to_each[*genre]));
        self.sets.iter().map(to_set).collect()
    }
}
