//! Take rates of rows, summed up now and then and not for every page.

use nearline_model::Aggregates;
use nearline_ranking::page::take_rates::rates;
use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How old the sums may be.
const MOST_AGE: Duration = Duration::from_secs(10);

/// Take rates by row.
#[derive(Debug, Default)]
pub struct RowTakes {
    rates: RwLock<Arc<HashMap<&'static str, f64>>>,
    summed: Mutex<Option<Instant>>,
}

impl RowTakes {
    /// The rates now, at most ten seconds old. Whoever comes while they are summed up anew gets those
    /// before.
    pub fn current(&self, aggregates: &Aggregates) -> Arc<HashMap<&'static str, f64>> {
        if let Some(mut summed) = self.summed.try_lock()
            && summed.is_none_or(|at| at.elapsed() >= MOST_AGE)
        {
            *self.rates.write() = Arc::new(rates(aggregates));
            *summed = Some(Instant::now());
        }
        self.rates.read().clone()
    }
}
