//! Experiments: counts by variant, which the request id tells.
//!
//! Recommendation ids issued by an experiment end with `-x-EXPERIMENT-VARIANT-DEFINITION`. Experiment and
//! variant are `[a-z0-9_]{1,16}`, the definition is six hexadecimal digits, so it is written without doubt; ids
//! issued before there were definitions lack the last part.

use super::{Stage, TakeCounts};
use crate::symbols::{NONE, Symbol};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// Longest name of an experiment or a variant, in bytes.
pub const MAX_VARIANT_BYTES: usize = 16;
/// Length of what says which definition of an experiment, in bytes.
pub const DEFINITION_BYTES: usize = 6;

/// Whether `name` may name an experiment or a variant: `[a-z0-9_]{1,16}`.
pub fn is_variant_name(name: &str) -> bool {
    (1..=MAX_VARIANT_BYTES).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Whether `text` says which definition of an experiment: six hexadecimal digits.
fn is_definition(text: &str) -> bool {
    text.len() == DEFINITION_BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The `EXPERIMENT-VARIANT-DEFINITION` at the end of a request id; empty where there is none.
///
/// ```
/// use nearline_model::delta::variant_of;
/// assert_eq!(variant_of("0f3a-x-home_v2-b-12ab9f"), "home_v2-b-12ab9f");
/// assert_eq!(variant_of("0f3a-x-home_v2-b"), "home_v2-b");
/// assert_eq!(variant_of("0f3a"), "");
/// ```
pub fn variant_of(request: &str) -> &str {
    let parts = |request: &str| ending(request).map(str::len);
    let defined = request.rsplit_once('-').filter(|(_, definition)| is_definition(definition));
    match (defined.and_then(|(before, _)| parts(before)), parts(request)) {
        (Some(length), _) => &request[request.len() - length - 1 - DEFINITION_BYTES..],
        (None, Some(length)) => &request[request.len() - length..],
        (None, None) => "",
    }
}

/// `EXPERIMENT-VARIANT` at the end.
fn ending(request: &str) -> Option<&str> {
    let (before, variant) = request.rsplit_once('-')?;
    let (before, experiment) = before.rsplit_once('-')?;
    let is_one = before.ends_with("-x") && is_variant_name(experiment) && is_variant_name(variant);
    is_one.then(|| &request[before.len() + 1..])
}

/// The ending that marks a recommendation id as issued by a variant of an experiment, under one of its
/// definitions; `None` where a name or the definition is not valid.
pub fn variant_suffix(experiment: &str, variant: &str, definition: &str) -> Option<String> {
    let is_valid = is_variant_name(experiment) && is_variant_name(variant) && is_definition(definition);
    is_valid.then(|| format!("-x-{experiment}-{variant}-{definition}"))
}

/// Counts of one variant and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantCell {
    /// `EXPERIMENT-VARIANT-DEFINITION`, an index into the delta's strings.
    pub variant: u32,
    /// Epoch of the impressions.
    pub epoch: u32,
    /// What was counted.
    pub counts: TakeCounts,
}

/// Collects the counts by variant of a delta.
#[derive(Debug, Default)]
pub(super) struct VariantBuilder {
    cells: HashMap<(Symbol, u32), TakeCounts>,
}

impl VariantBuilder {
    pub fn count(&mut self, stage: Stage, variant: Symbol, epoch: u32) {
        if variant != NONE {
            self.cells.entry((variant, epoch)).or_default().count(stage);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub fn take(&mut self, local: &mut impl FnMut(Symbol) -> u32) -> Vec<VariantCell> {
        let mut collected: Vec<_> = self.cells.drain().collect();
        collected.sort_unstable_by_key(|(key, _)| *key);
        let cell = |((variant, epoch), counts)| VariantCell { variant: local(variant), epoch, counts };
        collected.into_iter().map(cell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_what_stands_at_the_end_and_nothing_else() {
        for (request, variant) in [
            ("r1-x-home-a", "home-a"),
            ("a-b-c-x-home_2-b_1", "home_2-b_1"),
            ("x-x-x-x", "x-x"),
            ("r1-x-home-a-01beef", "home-a-01beef"),
            ("r1-x-home-a-01beef-x", ""),
            ("r1-x-home-01beef", "home-01beef"),
            ("r1-x-home-a-01BEEF", ""),
            ("r1-x-home-a-01bee", ""),
            ("", ""),
            ("r1", ""),
            ("-x-home-a", "home-a"),
            ("x-home-a", ""),
            ("r1-x-home", ""),
            ("r1-x-Home-a", ""),
            ("r1-x--a", ""),
            ("r1-x-home-", ""),
            ("r1-y-home-a", ""),
            ("r1-x-home-a-more", ""),
            ("r1-x-experiment_17bytes-a", ""),
        ] {
            assert_eq!(variant_of(request), variant, "{request}");
        }
        let issued = format!("r1{}", variant_suffix("home_v2", "b", "00ff10").expect("valid names"));
        assert_eq!(variant_of(&issued), "home_v2-b-00ff10");
        assert_eq!(variant_suffix("Home", "b", "00ff10"), None);
        assert_eq!(variant_suffix("home", "b", "00ff1"), None);
    }
}
