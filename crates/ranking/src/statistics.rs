//! Statistics of shares: intervals, differences and tests. No clock, no randomness.
//!
//! Sources: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22
//! (1927); R. G. Newcombe, "Interval Estimation for the Difference between Independent Proportions",
//! Statistics in Medicine 17 (1998), method 10; Abramowitz & Stegun, 6.5 (incomplete gamma function).

use serde::Serialize;

/// 97.5 % quantile of the normal distribution: intervals hold 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// An interval that holds 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Wilson's interval of a share of `hits` in `trials`; `None` without trials.
pub fn wilson(hits: u64, trials: u64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let (n, p) = (trials as f64, share(hits, trials));
    let centre = p + Z * Z / (2.0 * n);
    let margin = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some(Interval { low: ((centre - margin) / scale).max(0.0), high: ((centre + margin) / scale).min(1.0) })
}

/// The difference of two shares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Second share less the first.
    pub difference: f64,
    /// Newcombe's interval of it.
    pub interval: Interval,
    /// p-value of the two-sided two-proportion z test (pooled): how likely a difference this large is if
    /// there is none.
    pub p_value: f64,
}

/// The difference between `hits / trials` of a variant and of the control; `None` if either was never
/// tried.
pub fn difference(control: (u64, u64), variant: (u64, u64)) -> Option<Difference> {
    let (wilson_control, wilson_variant) = (wilson(control.0, control.1)?, wilson(variant.0, variant.1)?);
    let (p1, p2) = (share(control.0, control.1), share(variant.0, variant.1));
    let (n1, n2) = (control.1 as f64, variant.1 as f64);
    let difference = p2 - p1;
    let below = ((p2 - wilson_variant.low).powi(2) + (wilson_control.high - p1).powi(2)).sqrt();
    let above = ((wilson_variant.high - p2).powi(2) + (p1 - wilson_control.low).powi(2)).sqrt();
    let pooled = (control.0 + variant.0) as f64 / (n1 + n2);
    let error = (pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n2)).sqrt();
    // Two-sided: the square of a normal variable is chi-square with one degree of freedom.
    let p_value = if error > 0.0 { chi_square_tail((difference / error).powi(2), 1) } else { 1.0 };
    let interval = Interval { low: difference - below, high: difference + above };
    Some(Difference { difference, interval, p_value })
}

/// Outcome of a chi-square test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// The statistic.
    pub statistic: f64,
    /// How likely a statistic this large is if the counts follow what is expected.
    pub p_value: f64,
}

/// Pearson's test of `counts` against the proportions of `expected`; `None` if too little was
/// counted for the test (fewer than 5 expected somewhere), or there are not two counts to compare.
pub fn chi_square(counts: &[u64], expected: &[f64]) -> Option<ChiSquare> {
    if counts.len() < 2 || counts.len() != expected.len() {
        return None;
    }
    let (total, weight) = (counts.iter().sum::<u64>() as f64, expected.iter().sum::<f64>());
    let mut statistic = 0.0;
    for (count, expected) in counts.iter().zip(expected) {
        let expected = total * expected / weight;
        if expected.is_nan() || expected < 5.0 {
            return None;
        }
        statistic += (*count as f64 - expected).powi(2) / expected;
    }
    let freedom = counts.len().saturating_sub(1) as u32;
    Some(ChiSquare { statistic, p_value: chi_square_tail(statistic, freedom) })
}

fn share(hits: u64, trials: u64) -> f64 {
    hits as f64 / trials.max(1) as f64
}

/// Upper tail of the chi-square distribution. By recurrence from one and two degrees of freedom
/// (Abramowitz & Stegun 26.4.4 and 26.4.5): exact but for rounding, and all that is needed for the few
/// variants of an experiment.
fn chi_square_tail(x: f64, freedom: u32) -> f64 {
    if x <= 0.0 || freedom == 0 {
        return 1.0;
    }
    let half = x / 2.0;
    let is_even = freedom.is_multiple_of(2);
    // Q(a + 1, x/2) = Q(a, x/2) + (x/2)^a e^(-x/2) / gamma(a + 1), from a = 1/2 or 1 on.
    let (mut tail, mut a, mut term) = if is_even {
        ((-half).exp(), 1.0, half * (-half).exp())
    } else {
        (erfc(half.sqrt()), 0.5, half.sqrt() * (-half).exp() / (std::f64::consts::PI.sqrt() / 2.0))
    };
    let mut degrees = if is_even { 2 } else { 1 };
    while degrees < freedom {
        tail += term;
        a += 1.0;
        term *= half / a;
        degrees += 2;
    }
    tail.clamp(0.0, 1.0)
}

/// The complementary error function for `x ≥ 0`: the series for small `x` (A&S 7.1.6), the continued
/// fraction for large (A&S 7.1.14, evaluated by Lentz's method).
fn erfc(x: f64) -> f64 {
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.0 {
        let (mut term, mut sum, mut n) = (x, x, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
        }
        return (1.0 - 2.0 * scale * sum).max(0.0);
    }
    // erfc(x) = e^(-x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))), from the inside out.
    let mut fraction = x;
    for n in (1..=60).rev() {
        fraction = x + f64::from(n) / 2.0 / fraction;
    }
    scale / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{found} is not {expected}");
    }

    /// Reference values: scipy.stats.chi2.sf.
    #[test]
    fn tails_of_the_chi_square_distribution_are_right() {
        let reference: [(f64, u32, f64); 8] = [
            (0.5, 1, 0.47950012218695337),
            (3.841458820694124, 1, 0.04999999999999989),
            (12.0, 1, 0.0005320055051392492),
            (2.0, 2, 0.36787944117144245),
            (9.5, 3, 0.023331360430831553),
            (30.0, 4, 4.894437128029217e-06),
            (18.3, 10, 0.050109061411462506),
            (25.0, 15, 0.0499434336264283),
        ];
        for (x, freedom, expected) in reference {
            close(chi_square_tail(x, freedom), expected);
        }
        assert_eq!(chi_square_tail(0.0, 3), 1.0);
    }

    /// Reference values: statsmodels, proportion_confint, method "wilson".
    #[test]
    fn wilson_intervals_are_right_and_stay_within_0_and_1() {
        let reference: [((u64, u64), f64, f64); 5] = [
            ((0, 10), 0.0, 0.27753279986288926),
            ((1, 10), 0.017876213095072924, 0.40415002679523854),
            ((10, 10), 0.7224672001371106, 1.0),
            ((30, 1000), 0.021093738828834696, 0.042503414147587126),
            ((500, 1000), 0.4690696003681042, 0.5309303996318958),
        ];
        for ((hits, trials), low, high) in reference {
            let interval = wilson(hits, trials).expect("tried");
            close(interval.low, low);
            close(interval.high, high);
        }
        assert_eq!(wilson(0, 0), None);
    }

    /// Newcombe (1998), table II, method 10: 56/70 less 48/80 is 0.2, from 0.0524 to 0.3339.
    #[test]
    fn differences_are_those_of_the_literature() {
        let found = difference((48, 80), (56, 70)).expect("tried");
        assert!((found.difference - 0.2).abs() < 1e-12);
        assert!((found.interval.low - 0.0524).abs() < 5e-5 && (found.interval.high - 0.3339).abs() < 5e-5);
        assert!(found.p_value < 0.05);
        assert_eq!(difference((0, 0), (1, 2)), None);
        let same = difference((10, 100), (10, 100)).expect("tried");
        assert!(same.interval.low < 0.0 && same.interval.high > 0.0);
        close(same.p_value, 1.0);
    }

    #[test]
    fn a_mismatched_ratio_is_found_and_a_right_one_is_not() {
        assert!(chi_square(&[5_100, 4_900], &[1.0, 1.0]).expect("enough").p_value > 0.01);
        assert!(chi_square(&[5_300, 4_700], &[1.0, 1.0]).expect("enough").p_value < 1e-6);
        assert_eq!(chi_square(&[3, 3], &[1.0, 1.0]), None, "too few to tell");
        assert_eq!(chi_square(&[0, 0], &[1.0, 1.0]), None);
    }
}
