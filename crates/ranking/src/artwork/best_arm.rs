//! The probability that each arm is the best one, given Beta beliefs: what Thompson sampling samples.
//!
//! Thompson sampling plays an arm with the probability that it is best (Thompson, *Biometrika* 25,
//! 1933). Drawing from the beliefs would give the arm but not that probability, and a propensity must
//! be the probability itself; so it is integrated:
//! `P(i best) = ∫ fᵢ(y) ∏_{j≠i} Fⱼ(y) dy`.
//!
//! The integral runs over the log-odds `y` of the rate, where a Beta(a, b) has the density
//! `σ(y)^a σ(−y)^b / B(a, b)`: smooth and falling off exponentially on both sides, however small *a*
//! or *b* are. Panels are laid around each belief's mode in units of its width; densities are
//! normalised, and distribution functions obtained, by running integrals on the same nodes, so that no
//! special function is needed. The results add up to 1 before they are normalised, which checks the
//! integration (tests hold it to 1e-9).

use super::quadrature::{NODES, RULE};

/// A Beta belief about a rate; both parameters above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beta {
    /// Takes, the prior's included.
    pub a: f64,
    /// Impressions not taken, the prior's included.
    pub b: f64,
}

impl Beta {
    /// Mean rate.
    pub fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    fn mode(self) -> f64 {
        (self.a / self.b).ln()
    }

    /// Standard deviation of the normal distribution with the same curvature at the mode.
    fn width(self) -> f64 {
        (1.0 / self.a + 1.0 / self.b).sqrt()
    }

    /// Whether another belief has its mode and its width where this one has, within a tenth of this one's width.
    pub(super) fn is_close_to(self, other: Self) -> bool {
        let width = self.width();
        let moved = (other.mode() - self.mode()).abs() + (other.width() - width).abs();
        moved <= CLOSE * width
    }

    /// Logarithm of the density of the log-odds, but for its constant; `softplus` of −y and of y.
    fn log_density(self, below: f64, above: f64) -> f64 {
        -self.a * below - self.b * above
    }
}

/// Share of its width within which a belief is close to another one.
const CLOSE: f64 = 0.1;

/// `ln(1 + eʸ)` of −y and of y.
fn softplus(y: f64) -> (f64, f64) {
    let tail = (-y.abs()).exp().ln_1p();
    ((-y).max(0.0) + tail, y.max(0.0) + tail)
}

/// Beliefs that are equal, how many, and their density and distribution function at all nodes.
struct Group {
    belief: Beta,
    peak: f64,
    members: i32,
    density: Vec<f64>,
    distribution: Vec<f64>,
}

/// Logarithm of density, relative to its peak, below which the tails of a belief have no panels of their own.
const NEGLIGIBLE: f64 = -26.0;
/// The same below which a belief counts for nothing in the panels of others.
const NOTHING: f64 = -45.0;
/// Distances of panel bounds from the mode, in steps; further ones grow by half each.
const DISTANCES: [f64; 4] = [1.0, 2.0, 3.2, 4.8];
/// Steps, in widths, by the least parameter of all beliefs: the smaller it is, the less the density is like a normal one.
const STEPS: [(f64, f64); 4] = [(1.0, 2.0), (0.5, 1.6), (0.2, 1.2), (0.0, 0.75)];
/// Panels are not much narrower than so many steps of the narrowest belief.
const LEAST_PANEL: f64 = 0.8;

/// The probability of each belief's rate being the highest. They add up to 1; equal beliefs get equal
/// shares. An empty slice gives an empty vector.
pub fn probability_best(beliefs: &[Beta]) -> Vec<f64> {
    let (mut best, sum) = integrate(beliefs, step_for(beliefs));
    best.iter_mut().for_each(|probability| *probability /= sum);
    best
}

/// The widest step that integrates `beliefs` with an error below 1e-9.
fn step_for(beliefs: &[Beta]) -> f64 {
    let least = beliefs.iter().fold(f64::INFINITY, |least, belief| least.min(belief.a).min(belief.b));
    STEPS.iter().find(|(from, _)| least >= *from).map_or(STEPS[STEPS.len() - 1].1, |(_, step)| *step)
}

/// The probabilities as integrated, and their sum, which is 1 but for the error of integration.
fn integrate(beliefs: &[Beta], step: f64) -> (Vec<f64>, f64) {
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of = Vec::with_capacity(beliefs.len());
    for belief in beliefs {
        let known = groups.iter().position(|group| group.belief == *belief);
        group_of.push(known.unwrap_or(groups.len()));
        match known {
            Some(at) => groups[at].members += 1,
            None => groups.push(Group::new(*belief)),
        }
    }
    if groups.len() <= 1 {
        return (vec![1.0 / beliefs.len().max(1) as f64; beliefs.len()], 1.0);
    }
    let bounds = panel_bounds(&groups, step);
    let nodes = nodes(&bounds);
    for group in &mut groups {
        group.fill(&bounds, &nodes);
    }
    let mut best = vec![0.0; groups.len()];
    // before[i]: product of the distribution functions of the groups before i, at the nodes of a panel.
    let mut before = vec![[1.0; NODES]; groups.len() + 1];
    for (panel, bound) in bounds.windows(2).enumerate() {
        let half = (bound[1] - bound[0]) / 2.0;
        for (i, group) in groups.iter().enumerate() {
            let all = group.below(panel, group.members);
            before[i + 1] = std::array::from_fn(|node| before[i][node] * all[node]);
        }
        let mut after = [1.0; NODES];
        for (i, group) in groups.iter().enumerate().rev() {
            let (others, all) = (group.below(panel, group.members - 1), group.below(panel, group.members));
            let density = &group.density[panel * NODES..][..NODES];
            let share: [f64; NODES] = std::array::from_fn(|node| {
                RULE.weights[node] * density[node] * before[i][node] * after[node] * others[node]
            });
            best[i] += half * share.iter().sum::<f64>();
            after = std::array::from_fn(|node| after[node] * all[node]);
        }
    }
    let best: Vec<f64> = group_of.iter().map(|group| best[*group].max(0.0)).collect();
    let sum = best.iter().sum();
    (best, sum)
}

impl Group {
    /// The probability that so many of its members are below each node of a panel.
    fn below(&self, panel: usize, members: i32) -> [f64; NODES] {
        let distribution = &self.distribution[panel * NODES..][..NODES];
        match members {
            0 => [1.0; NODES],
            1 => std::array::from_fn(|node| distribution[node]),
            _ => std::array::from_fn(|node| distribution[node].powi(members)),
        }
    }

    fn new(belief: Beta) -> Self {
        let (below, above) = softplus(belief.mode());
        let peak = belief.log_density(below, above);
        Self { belief, peak, members: 1, density: Vec::new(), distribution: Vec::new() }
    }

    /// Bounds of panels on one side of the mode (`sign` −1 or 1), as far as there is anything.
    fn bounds(&self, sign: f64, step: f64, bounds: &mut Vec<f64>) {
        let (mode, width) = (self.belief.mode(), self.belief.width());
        let mut distance = 0.0;
        let mut distances = DISTANCES.iter();
        loop {
            distance = distances.next().copied().unwrap_or(distance * 1.5);
            let y = mode + sign * distance * step * width;
            bounds.push(y);
            let (below, above) = softplus(y);
            if self.belief.log_density(below, above) - self.peak < NEGLIGIBLE {
                return;
            }
        }
    }

    /// Density and distribution function at all nodes, normalised by their own integral.
    fn fill(&mut self, bounds: &[f64], nodes: &[(f64, f64)]) {
        let (belief, peak) = (self.belief, self.peak);
        self.density = Vec::with_capacity(nodes.len());
        self.distribution = Vec::with_capacity(nodes.len());
        let mut total = 0.0;
        let (panels, _) = nodes.as_chunks::<NODES>();
        for (panel, bound) in panels.iter().zip(bounds.windows(2)) {
            let half = (bound[1] - bound[0]) / 2.0;
            let logarithms = panel.map(|(below, above)| belief.log_density(below, above) - peak);
            if logarithms.iter().all(|logarithm| *logarithm < NOTHING) {
                self.density.extend([0.0; NODES]);
                self.distribution.extend([total; NODES]);
                continue;
            }
            let density = logarithms.map(f64::exp);
            // All nodes at once, so that the processor adds several sums together.
            let (mut running, mut whole) = ([0.0; NODES], 0.0);
            for ((density, shares), weight) in density.iter().zip(&RULE.shares).zip(&RULE.weights) {
                running.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share * density);
                whole += weight * density;
            }
            self.density.extend(density);
            self.distribution.extend(running.map(|sum| total + half * sum));
            total += half * whole;
        }
        self.density.iter_mut().for_each(|value| *value /= total);
        self.distribution.iter_mut().for_each(|value| *value = (*value / total).clamp(0.0, 1.0));
    }
}

/// Bounds of all panels, ascending; none much closer than the narrowest belief needs.
fn panel_bounds(groups: &[Group], step: f64) -> Vec<f64> {
    let mut bounds = Vec::new();
    let mut narrowest = f64::INFINITY;
    for group in groups {
        narrowest = narrowest.min(group.belief.width());
        bounds.push(group.belief.mode());
        group.bounds(-1.0, step, &mut bounds);
        group.bounds(1.0, step, &mut bounds);
    }
    bounds.sort_unstable_by(f64::total_cmp);
    let last = bounds[bounds.len() - 1];
    bounds.dedup_by(|next, kept| *next - *kept < LEAST_PANEL * step * narrowest);
    if bounds[bounds.len() - 1] < last {
        bounds.push(last);
    }
    bounds
}

/// All nodes, as the softplus of −y and of y.
fn nodes(bounds: &[f64]) -> Vec<(f64, f64)> {
    let panel = |bound: &[f64]| {
        let (middle, half) = ((bound[0] + bound[1]) / 2.0, (bound[1] - bound[0]) / 2.0);
        RULE.nodes.map(|node| softplus(middle + half * node))
    };
    bounds.windows(2).flat_map(panel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ln_factorials(most: usize) -> Vec<f64> {
        (0..=most)
            .scan(0.0, |sum, n| {
                *sum += (n.max(1) as f64).ln();
                Some(*sum)
            })
            .collect()
    }

    /// P(B > A) in closed form for whole parameters (Cook, *Exact calculation of beta inequalities*).
    fn exact([a1, b1]: [usize; 2], [a2, b2]: [usize; 2]) -> f64 {
        let ln = ln_factorials(a1 + b1 + a2 + b2);
        let ln_beta = |a: usize, b: usize| ln[a - 1] + ln[b - 1] - ln[a + b - 1];
        (0..a2)
            .map(|i| {
                (ln_beta(a1 + i, b1 + b2) - ((b2 + i) as f64).ln() - ln_beta(1 + i, b2) - ln_beta(a1, b1))
                    .exp()
            })
            .sum()
    }

    fn beta(a: f64, b: f64) -> Beta {
        Beta { a, b }
    }

    #[test]
    fn two_arms_are_as_in_closed_form() {
        let cases = [
            ([1, 1], [1, 1]),
            ([1, 1], [2, 1]),
            ([3, 97], [5, 95]),
            ([1, 40], [30, 970]),
            ([300, 9_700], [330, 9_670]),
            ([50, 50], [1, 1_000]),
            ([2_000, 30_000], [1, 12]),
        ];
        for (one, two) in cases {
            let [[a1, b1], [a2, b2]] = [one, two].map(|pair: [usize; 2]| pair.map(|n| n as f64));
            let best = probability_best(&[beta(a1, b1), beta(a2, b2)]);
            let expected = exact(one, two);
            assert!((best[1] - expected).abs() < 1e-9, "{one:?} {two:?}: {} {expected}", best[1]);
        }
    }

    #[test]
    fn several_arms_are_as_integrated_with_thirty_digits() {
        // From mpmath's quad over the rate itself, its singularity at 0 substituted away.
        let three = [beta(0.25, 9.75), beta(1.5, 18.5), beta(3.0, 97.0)];
        let four = [beta(0.05, 0.95), beta(40.5, 959.5), beta(12.0, 188.0), beta(70.0, 930.0)];
        let cases: [(&[Beta], &[f64]); 2] = [
            (&three, &[0.134_797_068_181_607, 0.682_722_972_455_45, 0.182_479_959_362_943]),
            (
                &four,
                &[
                    0.126_088_148_477_868,
                    0.000_699_298_478_830_682,
                    0.244_915_487_731_346,
                    0.628_297_065_311_956,
                ],
            ),
        ];
        for (beliefs, expected) in cases {
            for (found, expected) in probability_best(beliefs).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-10, "{found} {expected}");
            }
        }
    }

    #[test]
    fn equal_beliefs_share_equally() {
        assert_eq!(probability_best(&[]), Vec::<f64>::new());
        assert_eq!(probability_best(&[beta(0.3, 9.7); 4]), [0.25; 4]);
        let best = probability_best(&[beta(2.0, 30.0), beta(1.0, 30.0), beta(1.0, 30.0), beta(2.0, 30.0)]);
        assert!(best[0] == best[3] && best[1] == best[2] && best[0] > best[1], "{best:?}");
    }

    #[test]
    fn the_order_of_arms_does_not_matter() {
        let beliefs = [beta(5.0, 80.0), beta(0.2, 9.8), beta(60.0, 1_000.0)];
        let best = probability_best(&beliefs);
        let turned = probability_best(&[beliefs[2], beliefs[0], beliefs[1]]);
        for (at, turned) in [2, 0, 1].into_iter().zip(turned) {
            assert!((best[at] - turned).abs() < 1e-12);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn the_integral_over_all_arms_is_one(
            beliefs in prop::collection::vec((-1.5..6.0_f64, -0.5..6.5_f64), 2..8)
        ) {
            let beliefs: Vec<Beta> =
                beliefs.into_iter().map(|(a, b)| beta(10_f64.powf(a), 10_f64.powf(b))).collect();
            let (_, sum) = integrate(&beliefs, step_for(&beliefs));
            prop_assert!((sum - 1.0).abs() < 1e-9, "{} for {:?}", sum, beliefs);
        }

        /// Each step is as fine as the parameters from which on it is taken want it.
        #[test]
        fn wide_steps_integrate_as_fine_ones_do(
            least in prop::sample::select(STEPS.map(|(least, _)| least.max(0.03)).to_vec()),
            beliefs in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 2..8)
        ) {
            let from_least = |share: f64| least * (1e6 / least).powf(share);
            let beliefs: Vec<Beta> =
                beliefs.into_iter().map(|(a, b)| beta(from_least(a), from_least(b))).collect();
            let (wide, fine) = (integrate(&beliefs, step_for(&beliefs)).0, integrate(&beliefs, 0.4).0);
            for (wide, fine) in wide.into_iter().zip(fine) {
                prop_assert!((wide - fine).abs() < 1e-9, "{} {} for {:?}", wide, fine, beliefs);
            }
        }
    }
}
