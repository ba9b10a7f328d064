//! From the probabilities of being best to the probabilities of being chosen, and the choice.

/// Probabilities are counted in millionths: what is answered as propensity is what was drawn with.
pub const UNIT: u32 = 1_000_000;

/// Probabilities of choosing each arm, in millionths that add up to [`UNIT`]: `(1 − Kε)·p + ε` with the
/// floor ε, but no more than half of all choices explore, however many arms there are.
pub fn with_floor(best: &[f64], floor: f64) -> Vec<u32> {
    let arms = best.len().max(1) as f64;
    let floor = floor.clamp(0.0, 0.5 / arms);
    let exact: Vec<f64> =
        best.iter().map(|best| ((1.0 - arms * floor) * best + floor) * f64::from(UNIT)).collect();
    let mut millionths: Vec<u32> = exact.iter().map(|exact| exact.floor() as u32).collect();
    // The largest remainders get what rounding down left over.
    let mut order: Vec<usize> = (0..best.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
    let given: u32 = millionths.iter().sum();
    for at in order.iter().cycle().take(UNIT.saturating_sub(given) as usize) {
        millionths[*at] += 1;
    }
    millionths
}

/// The arm that `hash`, uniform over 64 bits, falls on.
pub fn pick(millionths: &[u32], hash: u64) -> usize {
    let mut left = ((u128::from(hash) * u128::from(UNIT)) >> 64) as u32;
    for (arm, probability) in millionths.iter().enumerate() {
        match left.checked_sub(*probability) {
            Some(rest) => left = rest,
            None => return arm,
        }
    }
    millionths.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn probabilities_add_up_and_keep_the_floor(
            weights in prop::collection::vec(0.0..1.0_f64, 1..32), floor in 0.0001..0.2_f64
        ) {
            let sum: f64 = weights.iter().sum::<f64>().max(1e-12);
            let best: Vec<f64> = weights.iter().map(|weight| weight / sum).collect();
            let best = if weights.iter().sum::<f64>() == 0.0 { vec![1.0 / best.len() as f64; best.len()] } else { best };
            let chosen = with_floor(&best, floor);
            prop_assert_eq!(chosen.iter().sum::<u32>(), UNIT);
            let floor = floor.min(0.5 / best.len() as f64);
            for (best, chosen) in best.iter().zip(&chosen) {
                let chosen = f64::from(*chosen) / f64::from(UNIT);
                prop_assert!(chosen >= floor - 2e-6);
                let expected = (1.0 - weights.len() as f64 * floor) * best + floor;
                prop_assert!((chosen - expected).abs() <= 2e-6, "{} {}", chosen, expected);
            }
        }
    }

    #[test]
    fn the_hash_picks_each_arm_over_its_share() {
        let millionths = [250_000, 0, 749_999, 1];
        let at = |share: f64| pick(&millionths, (share * 2_f64.powi(64)) as u64);
        assert_eq!(
            [at(0.0), at(0.249_999_5), at(0.250_000_5), at(0.999_998), at(0.999_999_5)],
            [0, 0, 2, 2, 3]
        );
        assert_eq!(pick(&millionths, u64::MAX), 3);
    }
}
