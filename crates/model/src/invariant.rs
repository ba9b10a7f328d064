//! The invariants of the design, numbered in code.

/// Checks a numbered invariant: counts `nearline_invariant_violations_total{invariant}` and logs
/// nothing itself; panics in debug builds and simulations, so that a test cannot pass over it.
///
/// ```
/// use nearline_model::check_invariant;
/// let (before, after) = (4_u64, 5_u64);
/// check_invariant!(I4, after > before, "offset went from {before} to {after}");
/// ```
#[macro_export]
macro_rules! check_invariant {
    ($name:ident, $holds:expr, $($message:tt)+) => {
        if !$holds {
            $crate::invariant::violated(stringify!($name), &format!($($message)+));
        }
    };
}

/// Counts one violation and, in debug builds, panics with the invariant's name.
pub fn violated(invariant: &'static str, message: &str) {
    metrics::counter!("nearline_invariant_violations_total", "invariant" => invariant).increment(1);
    if cfg!(debug_assertions) {
        panic!("invariant {invariant} violated: {message}");
    }
}
