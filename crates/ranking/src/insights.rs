//! How a title does, by epoch and dimension.

use nearline_model::Aggregates;
use nearline_model::aggregates::ALL;
use nearline_model::delta::Counts;

/// Sums of counts.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// How often it was shown.
    pub impressions: u64,
    /// How many of those impressions were played.
    pub attributed_plays: u64,
    /// How many of those plays were watched for long enough.
    pub quality_plays: u64,
    /// Plays and first ratings, attributed or not; of a row or a position, its attributed plays.
    pub plays: u64,
}

impl Takes {
    fn add(&mut self, counts: Counts) {
        self.quality_plays += u64::from(counts.quality);
        self.impressions += u64::from(counts.impressions);
        self.attributed_plays += u64::from(counts.attributed);
        self.plays += u64::from(counts.plays);
    }

    /// Attributed plays per impression; `None` without impressions.
    pub fn take_rate(&self) -> Option<f64> {
        (self.impressions > 0).then(|| self.attributed_plays as f64 / self.impressions as f64)
    }
}

/// Counts of one dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DimensionTakes {
    /// `all`, `country:BR`, `device:tv`, `position:10-14`, `row:top10`.
    pub dimension: String,
    /// Sums over its epochs.
    pub totals: Takes,
    /// Epochs of 30 minutes in which anything was counted, oldest first, by number.
    pub epochs: Vec<(u32, Takes)>,
}

/// How a title does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insights {
    /// Plays and first ratings since the beginning of the log.
    pub plays_ever: u64,
    /// Sums over the epochs kept.
    pub totals: Takes,
    /// The same by dimension: everything first, then countries, devices, positions and rows.
    pub dimensions: Vec<DimensionTakes>,
}

impl Insights {
    /// Of `title`, of which the sums may know nothing.
    pub fn of(aggregates: &Aggregates, title: &str) -> Self {
        let number = aggregates.title(title);
        // Epochs past their time are swept out now and then; they are left out of answers at once.
        let oldest = (aggregates.newest_epoch() + 1).saturating_sub(aggregates.settings().epochs);
        let mut names: Vec<&str> = aggregates.dimension_names().collect();
        names.sort_unstable_by_key(|name| (*name != ALL, kind_of(name), first_position(name), *name));
        let mut dimensions = Vec::new();
        for name in names {
            let counters = number.and_then(|number| aggregates.counters(name)?.title(number));
            let kept = counters.map(|counters| counters.epochs.as_slice()).unwrap_or_default();
            let mut totals = Takes::default();
            let mut epochs = Vec::new();
            // A play without an impression came from no place of the page: what is known are attributed ones.
            let is_place = matches!(kind_of(name), "position" | "row");
            for (epoch, counts) in kept.iter().filter(|(epoch, _)| *epoch >= oldest) {
                let plays = if is_place { counts.attributed } else { counts.plays };
                let mut takes = Takes::default();
                takes.add(Counts { plays, ..*counts });
                totals.add(Counts { plays, ..*counts });
                epochs.push((*epoch, takes));
            }
            if !epochs.is_empty() {
                dimensions.push(DimensionTakes { dimension: name.to_owned(), totals, epochs });
            }
        }
        let all = dimensions.first().filter(|first| first.dimension == ALL);
        Self {
            plays_ever: number.map_or(0, |number| aggregates.plays(number)),
            totals: all.map(|all| all.totals).unwrap_or_default(),
            dimensions,
        }
    }
}

/// `country`, `device`, `position`, `row`.
fn kind_of(dimension: &str) -> &str {
    dimension.split_once(':').map_or("", |(kind, _)| kind)
}

/// The first position of `position:10-14`: bands are listed by it.
fn first_position(dimension: &str) -> u32 {
    let band = dimension.strip_prefix("position:").unwrap_or_default();
    let digits = band.find(|c: char| !c.is_ascii_digit()).unwrap_or(band.len());
    band[..digits].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_of_positions_stand_in_their_order() {
        let mut names = ["position:10-14", "position:2", "position:50+", "row:a", "country:BR", "position:0"];
        names.sort_unstable_by_key(|name| (kind_of(name), first_position(name), *name));
        let order = ["country:BR", "position:0", "position:2", "position:10-14", "position:50+", "row:a"];
        assert_eq!(names, order);
    }
}
