//! The bootstrap: percentiles of the mean over resampled rounds (Efron, *Annals of Statistics* 7, 1979).
//!
//! Rounds are drawn as NumPy's `RandomState(seed).choice` draws them (Mersenne Twister MT19937 with
//! masked rejection), one generator for each estimator's resamples, so that intervals are those of the
//! Open Bandit Pipeline for the same seed, not merely alike. All estimators share the draws.

/// Matsumoto and Nishimura's MT19937, seeded with one number.
pub struct MersenneTwister {
    state: [u32; 624],
    next: usize,
}

impl MersenneTwister {
    /// Seeded as by `init_genrand`.
    pub fn new(seed: u32) -> Self {
        let mut state = [0; 624];
        let mut value = seed;
        for (at, place) in state.iter_mut().enumerate() {
            *place = value;
            value = 1_812_433_253_u32.wrapping_mul(value ^ (value >> 30)).wrapping_add(at as u32 + 1);
        }
        Self { state, next: 624 }
    }

    fn refill(&mut self) {
        for at in 0..624 {
            let bits = (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % 624] & 0x7fff_ffff);
            let twist = if bits & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[at] = self.state[(at + 397) % 624] ^ (bits >> 1) ^ twist;
        }
        self.next = 0;
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next >= 624 {
            self.refill();
        }
        let mut bits = self.state[self.next];
        self.next += 1;
        bits ^= bits >> 11;
        bits ^= (bits << 7) & 0x9d2c_5680;
        bits ^= (bits << 15) & 0xefc6_0000;
        bits ^ (bits >> 18)
    }

    /// A number below `bound`, each equally likely; 0 for a bound of 0 or 1.
    pub fn below(&mut self, bound: u32) -> u32 {
        let most = bound.saturating_sub(1);
        if most == 0 {
            return 0;
        }
        let mask = u32::MAX >> most.leading_zeros();
        loop {
            let drawn = self.next_u32() & mask;
            if drawn <= most {
                return drawn;
            }
        }
    }
}

/// Means of each of `N` columns over `resamples` samples of as many rows, drawn with replacement.
pub fn resampled_means<const N: usize>(rows: &[[f64; N]], resamples: usize, seed: u32) -> [Vec<f64>; N] {
    let mut means: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(resamples));
    let mut random = MersenneTwister::new(seed);
    for _ in 0..resamples {
        let mut sums = [0.0; N];
        for _ in 0..rows.len() {
            let row = &rows[random.below(rows.len() as u32) as usize];
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        for (means, sum) in means.iter_mut().zip(sums) {
            means.push(sum / rows.len().max(1) as f64);
        }
    }
    means
}

/// The `share`-quantile of `sorted`, linear between neighbours; NaN of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_those_of_numpys_random_state() {
        let mut random = MersenneTwister::new(12_345);
        let drawn: Vec<u32> = (0..12).map(|_| random.below(10)).collect();
        assert_eq!(drawn, [2, 5, 1, 4, 9, 5, 2, 1, 6, 1, 9, 7]);
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        let samples = [0.0, 1.0, 0.0, 3.0, 2.5, 0.0, 0.0, 1.0, 4.0, 0.0].map(|sample| [sample]);
        let [mut means] = resampled_means(&samples, 200, 7);
        means.sort_unstable_by(f64::total_cmp);
        assert!((quantile(&means, 0.025) - 0.2).abs() < 1e-12, "{}", quantile(&means, 0.025));
        assert!((quantile(&means, 0.975) - 2.0).abs() < 1e-12, "{}", quantile(&means, 0.975));
    }
}
