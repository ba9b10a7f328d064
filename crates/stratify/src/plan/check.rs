//! What is checked of rules and strata before anything is solved.

use crate::rules::Rules;
use crate::{Census, StratifyError};

/// The strata must be those of the rules' keys.
pub(super) fn keys(rules: &Rules, census: &Census) -> Result<(), StratifyError> {
    if rules.strata == census.keys() {
        return Ok(());
    }
    let (wanted, found) = (rules.strata.join(", "), census.keys().join(", "));
    Err(StratifyError::rule("strata", format!("the rows were counted by {found}, the rules want {wanted}")))
}
