//! The gate: which titles may be shown by a caller's filter and maturity limit, and what their scores are
//! multiplied by.

use crate::expression::{Budget, Context, Program, Scope, Stop};
use crate::ranked::Ranked;
use nearline_model::catalogue::Catalogue;
use std::sync::Arc;

/// Filter, boost and maturity limit of a question.
#[derive(Clone, Default)]
pub struct Expressions {
    /// Only titles that it is true for.
    pub filter: Option<Arc<Program>>,
    /// What a title's score is multiplied by.
    pub boost: Option<Arc<Program>>,
    /// Only titles known to be meant for this age, in years, or younger.
    pub max_maturity: Option<u8>,
}

impl Expressions {
    /// Whether titles are left out.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some() || self.max_maturity.is_some()
    }

    /// Whether scores are changed.
    pub fn has_boost(&self) -> bool {
        self.boost.is_some()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        !self.has_filter() && !self.has_boost()
    }
}

/// The expressions took more steps than they may: what was ranked is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`filter` and `boost` took more than {steps} evaluation steps over all titles; look through shorter \
     lists, and put the condition that most titles fail first"
)]
pub struct BudgetSpent {
    /// Steps that they may take together.
    pub steps: u64,
}

/// The expressions of one request, over the catalogue and its context.
pub struct Gate<'a> {
    expressions: &'a Expressions,
    catalogue: &'a Catalogue,
    context: Context<'a>,
    budget: Budget,
    steps: u64,
}

impl<'a> Gate<'a> {
    /// A gate whose expressions may take `steps` together.
    pub fn new(
        expressions: &'a Expressions,
        catalogue: &'a Catalogue,
        context: Context<'a>,
        steps: u64,
    ) -> Self {
        Self { expressions, catalogue, context, budget: Budget::new(steps), steps }
    }

    /// The same, which is given up once `stop` is set.
    pub fn until(self, stop: &Stop) -> Self {
        Self { budget: self.budget.until(stop), ..self }
    }

    /// Whether a title may be shown. With a maturity limit, a title whose maturity is not known is not.
    pub fn admits(&self, id: &str) -> bool {
        let title = self.catalogue.get(id).map(|title| &**title);
        if let Some(limit) = self.expressions.max_maturity
            && title.and_then(|title| title.maturity).is_none_or(|maturity| maturity > limit)
        {
            return false;
        }
        let Some(filter) = &self.expressions.filter else { return true };
        filter.admits(&Scope { id, title, context: &self.context }, &self.budget)
    }

    /// What a title's score is multiplied by.
    pub fn factor(&self, id: &str) -> f64 {
        let Some(boost) = &self.expressions.boost else { return 1.0 };
        let title = self.catalogue.get(id).map(|title| &**title);
        boost.factor(&Scope { id, title, context: &self.context }, &self.budget)
    }

    /// To be asked when all is evaluated.
    ///
    /// # Errors
    /// If the steps ran out: what was ranked is then not what was asked for.
    pub fn finish(&self) -> Result<(), BudgetSpent> {
        if !self.budget.is_spent_out() {
            return Ok(());
        }
        metrics::counter!("nearline_expression_limit_hits_total").increment(1);
        Err(BudgetSpent { steps: self.steps })
    }
}

/// The `limit` best of `ranked`, best first, that pass `gate`, with their boosts.
pub fn sifted(gate: &Gate<'_>, ranked: Vec<Ranked>, limit: usize) -> Vec<Ranked> {
    let admitted = ranked.into_iter().filter(|ranked| gate.admits(&ranked.title));
    if !gate.expressions.has_boost() {
        return admitted.take(limit).collect();
    }
    let boosted =
        admitted.map(|ranked| Ranked { score: ranked.score * gate.factor(&ranked.title), ..ranked });
    let mut boosted: Vec<Ranked> = boosted.filter(|ranked| ranked.score > 0.0).collect();
    // The sort is stable: equal scores stay ordered by id.
    boosted.sort_by(|a, b| b.score.total_cmp(&a.score));
    boosted.truncate(limit);
    boosted
}
