//! What the fold has counted of rows and variants: the one place where answers ask for it.

use nearline_model::Aggregates;

/// What is counted of one variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VariantCounts {
    /// Titles shown under it.
    pub impressions: u64,
    /// How many of them were played.
    pub attributed: u64,
}

/// Impressions and plays whose `request` ends in `-x-EXPERIMENT-VARIANT`; zeros while the aggregates do
/// not count by variant.
pub fn variant_counts(_aggregates: &Aggregates, _experiment: &str, _variant: &str) -> VariantCounts {
    VariantCounts::default()
}

/// The decayed take rate of a row, by its name; `None` while the aggregates do not count by row.
pub fn expected_take(_aggregates: &Aggregates, _row: &str) -> Option<f64> {
    None
}
