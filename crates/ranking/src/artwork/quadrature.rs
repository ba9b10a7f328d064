//! Gauss–Legendre quadrature on a panel, with the running integral at its nodes.
//!
//! Weights and nodes: Newton's method on the Legendre polynomial (Press et al., *Numerical Recipes*,
//! section 4.6). Running integrals: the interpolant through the nodes, integrated exactly (spectral
//! collocation), from `∫₋₁ˣ Pₙ = (Pₙ₊₁(x) − Pₙ₋₁(x)) / (2n+1)`.

use std::sync::LazyLock;

/// Nodes of a panel: exact for polynomials up to degree 31.
pub const NODES: usize = 16;

/// A rule on `[-1, 1]`.
pub struct Rule {
    /// Nodes, ascending.
    pub nodes: [f64; NODES],
    /// Their weights.
    pub weights: [f64; NODES],
    /// Of each node's value its weight in the integral from −1 to each node.
    pub shares: [[f64; NODES]; NODES],
}

/// The rule.
pub static RULE: LazyLock<Rule> = LazyLock::new(Rule::new);

/// Legendre polynomials of degrees 0 to `NODES` at `x`.
fn legendre(x: f64) -> [f64; NODES + 1] {
    let mut p = [1.0; NODES + 1];
    p[1] = x;
    for n in 1..NODES {
        p[n + 1] = ((2 * n + 1) as f64 * x * p[n] - n as f64 * p[n - 1]) / (n + 1) as f64;
    }
    p
}

impl Rule {
    fn new() -> Self {
        let degree = NODES as f64;
        let mut rule = Self { nodes: [0.0; NODES], weights: [0.0; NODES], shares: [[0.0; NODES]; NODES] };
        for k in 0..NODES {
            let mut x = -(std::f64::consts::PI * (k as f64 + 0.75) / (degree + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..50 {
                let p = legendre(x);
                slope = degree * (x * p[NODES] - p[NODES - 1]) / (x * x - 1.0);
                let step = p[NODES] / slope;
                x -= step;
                if step.abs() < 1e-16 {
                    break;
                }
            }
            rule.nodes[k] = x;
            rule.weights[k] = 2.0 / ((1.0 - x * x) * slope * slope);
        }
        let at_nodes = rule.nodes.map(legendre);
        for (k, p) in at_nodes.iter().enumerate() {
            // From −1 to node k, the integral of the Legendre polynomial of degree n.
            let integral = |n: usize| match n {
                0 => rule.nodes[k] + 1.0,
                _ => (p[n + 1] - p[n - 1]) / (2 * n + 1) as f64,
            };
            // The m-th Lagrange polynomial in Legendre polynomials, integrated term by term.
            let lagrange = |m: &[f64; NODES + 1]| -> f64 {
                (0..NODES).map(|n| m[n] * (2 * n + 1) as f64 / 2.0 * integral(n)).sum()
            };
            let row: Vec<f64> = at_nodes.iter().map(lagrange).collect();
            for (shares, (integral, weight)) in rule.shares.iter_mut().zip(row.iter().zip(&rule.weights)) {
                shares[k] = integral * weight;
            }
        }
        rule
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly_up_to_each_node() {
        for power in 0..NODES as i32 {
            let antiderivative = |x: f64| x.powi(power + 1) / f64::from(power + 1);
            let values = RULE.nodes.map(|x| x.powi(power));
            let whole: f64 = values.iter().zip(&RULE.weights).map(|(v, w)| v * w).sum();
            assert!((whole - (antiderivative(1.0) - antiderivative(-1.0))).abs() < 1e-14, "x^{power}");
            for k in 0..NODES {
                let integral: f64 = values.iter().zip(&RULE.shares).map(|(v, shares)| v * shares[k]).sum();
                let exact = antiderivative(RULE.nodes[k]) - antiderivative(-1.0);
                assert!((integral - exact).abs() < 1e-14, "x^{power} up to node {k}: {integral} {exact}");
            }
        }
    }
}
