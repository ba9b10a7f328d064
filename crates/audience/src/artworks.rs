//! A world where segments take to artworks differently: the true rates, known to nobody in it.

use nearline_model::Title;
use rand::Rng;
use rand::rngs::StdRng;
use std::sync::Arc;

/// Titles, segments, and the probability of a take for each title, artwork and segment.
pub struct World {
    /// Its titles, each with artworks.
    pub titles: Vec<Title>,
    /// Names of the segments of its members.
    pub segments: Vec<Arc<str>>,
    rates: Vec<Vec<Vec<f64>>>,
}

impl World {
    /// A title is taken by 3 to 10 % on average; an artwork is better or worse for everybody by about
    /// a quarter, and for a segment by about half.
    pub fn new(titles: usize, artworks: usize, segments: usize, random: &mut StdRng) -> Self {
        let rates = (0..titles)
            .map(|_| {
                let base = random.random_range(0.03..0.10);
                let artwork = |random: &mut StdRng| {
                    let quality = 0.25 * normal(random);
                    let rate = |random: &mut StdRng| {
                        let rate: f64 = base * (quality + 0.5 * normal(random)).exp();
                        rate.clamp(0.002, 0.5)
                    };
                    (0..segments).map(|_| rate(random)).collect()
                };
                (0..artworks).map(|_| artwork(random)).collect()
            })
            .collect();
        let title = |number: usize| Title {
            id: format!("t{number}"),
            artworks: (0..artworks).map(|artwork| format!("t{number}-a{artwork}")).collect(),
            ..Title::default()
        };
        Self {
            titles: (0..titles).map(title).collect(),
            segments: (0..segments).map(|segment| Arc::from(format!("s{segment}"))).collect(),
            rates,
        }
    }

    /// How often `segment` takes the title under an artwork.
    pub fn rate(&self, title: usize, artwork: usize, segment: usize) -> f64 {
        self.rates[title][artwork][segment]
    }

    /// The same under the best artwork for the segment.
    pub fn oracle_rate(&self, title: usize, segment: usize) -> f64 {
        self.rates[title].iter().map(|rates| rates[segment]).fold(0.0, f64::max)
    }

    /// The same with artworks drawn uniformly.
    pub fn random_rate(&self, title: usize, segment: usize) -> f64 {
        let rates = &self.rates[title];
        rates.iter().map(|rates| rates[segment]).sum::<f64>() / rates.len() as f64
    }

    /// The artwork that is best for all segments together: what a test without segments would find at best.
    pub fn best_single(&self, title: usize) -> usize {
        let sum = |artwork: usize| self.rates[title][artwork].iter().sum::<f64>();
        (0..self.rates[title].len()).max_by(|a, b| sum(*a).total_cmp(&sum(*b))).unwrap_or_default()
    }
}

/// A standard normal number (Box and Muller).
fn normal(random: &mut StdRng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
