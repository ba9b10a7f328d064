//! Rare strata: kept, merged, dropped or refused, by rule, and always named.

use std::collections::BTreeMap;

use crate::plan::RareStratum;
use crate::rules::{Rare, RareAction, RuleKind, Rules};
use crate::{Census, StratifyError};

/// Strata after the rule about rare ones.
pub(super) struct Thinned {
    pub census: Census,
    pub rare: Vec<RareStratum>,
    /// Each original stratum's place, none if it was dropped.
    pub stratum_of: Vec<Option<usize>>,
}

pub(super) fn apply(rules: &Rules, census: &Census) -> Result<Thinned, StratifyError> {
    let found = rules.first(|kind| if let RuleKind::Rare(rare) = kind { Some(rare) } else { None });
    let Some((rule, rare)) = found else {
        let stratum_of = (0..census.len()).map(Some).collect();
        return Ok(Thinned { census: census.clone(), rare: Vec::new(), stratum_of });
    };
    let few: Vec<usize> = (0..census.len()).filter(|stratum| census.rows()[*stratum] < rare.below).collect();
    if let (RareAction::Refuse, Some(first)) = (rare.action, few.first()) {
        return Err(StratifyError::Rare {
            rule: rule.name.clone(),
            count: few.len(),
            below: rare.below,
            first: format!("{} with {} rows", census.label(*first), census.rows()[*first]),
        });
    }
    let mut levels: Vec<Option<Vec<String>>> = (0..census.len())
        .map(|stratum| Some(census.names(stratum).into_iter().map(ToOwned::to_owned).collect()))
        .collect();
    let listed = few.iter().map(|stratum| RareStratum {
        stratum: census.label(*stratum),
        rows: census.rows()[*stratum],
        action: change(rare, census, &mut levels[*stratum]),
    });
    let listed: Vec<RareStratum> = listed.collect();
    let mut table: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (levels, rows) in levels.iter().zip(census.rows()) {
        if let Some(levels) = levels {
            *table.entry(levels.clone()).or_default() += rows;
        }
    }
    let merged = Census::from_table(census.keys().to_vec(), table);
    let stratum_of = levels.iter().map(|levels| merged.find_named(levels.as_ref()?)).collect();
    Ok(Thinned { census: merged, rare: listed, stratum_of })
}

/// Does to a stratum's levels what the rule wants, and says what.
fn change(rare: &Rare, census: &Census, levels: &mut Option<Vec<String>>) -> String {
    match rare.action {
        RareAction::Keep | RareAction::Refuse => "kept".to_owned(),
        RareAction::Drop => {
            *levels = None;
            "dropped".to_owned()
        }
        RareAction::Merge => {
            let last = census.keys().len() - 1;
            let key = rare.key.as_ref().and_then(|key| census.key(key)).unwrap_or(last);
            if let Some(levels) = levels {
                levels[key].clone_from(&rare.into);
            }
            format!("merged into {}={}", census.keys()[key], rare.into)
        }
    }
}
