//! The `filter`, `boost` and `max_maturity` parameters: which titles may be shown, and what their scores
//! are multiplied by.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use nearline_model::catalogue::Catalogue;
use nearline_model::expression::{Budget, Context, ExpressionError, Program, Scope};
use nearline_model::ranking::Ranked;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// An expression that shows how filters are written.
const FILTER_EXAMPLE: &str = "'comedy' in title.genres && title.year >= 2010";
/// An expression that shows how boosts are written.
const BOOST_EXAMPLE: &str = "title.year >= 2020 ? 1.5 : 1.0";
/// Oldest age that a maturity limit can name.
const MAX_MATURITY: usize = 120;

/// Programs compiled before: the least recently used one makes room.
pub struct Programs {
    most: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// By kind and text: the program, and when it was used last.
    programs: HashMap<(Kind, String), (Arc<Program>, u64)>,
    uses: u64,
}

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Filter,
    Boost,
}

impl Kind {
    /// Parameter, example.
    fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Filter => ("filter", FILTER_EXAMPLE),
            Self::Boost => ("boost", BOOST_EXAMPLE),
        }
    }

    fn compile(self, text: &str) -> Result<Program, ExpressionError> {
        match self {
            Self::Filter => Program::filter(text),
            Self::Boost => Program::boost(text),
        }
    }
}

impl Programs {
    /// Holds `most` programs.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), held: Mutex::default() }
    }

    fn get(&self, kind: Kind, text: &str) -> Result<Arc<Program>, Problem> {
        let key = (kind, text.to_owned());
        {
            let mut held = self.held.lock();
            held.uses += 1;
            let now = held.uses;
            if let Some((program, used)) = held.programs.get_mut(&key) {
                *used = now;
                return Ok(program.clone());
            }
        }
        // Compiled without the lock: a slow one holds nobody up.
        let program = Arc::new(kind.compile(text).map_err(|error| refused(kind, text, &error))?);
        let mut held = self.held.lock();
        while held.programs.len() >= self.most {
            let oldest = held.programs.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                held.programs.remove(&oldest);
                metrics::counter!("nearline_expression_evictions_total").increment(1);
            }
        }
        let now = held.uses;
        held.programs.insert(key, (program.clone(), now));
        Ok(program)
    }
}

/// Filter, boost and maturity limit of a request.
#[derive(Clone, Default)]
pub struct Expressions {
    filter: Option<Arc<Program>>,
    boost: Option<Arc<Program>>,
    max_maturity: Option<u8>,
}

impl Expressions {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Where an expression is wrong, with an example of a right one.
    pub fn read(parameters: &Parameters, programs: &Programs) -> Result<Self, Problem> {
        let program =
            |kind: Kind| parameters.raw(kind.parts().0).map(|text| programs.get(kind, text)).transpose();
        Ok(Self {
            filter: program(Kind::Filter)?,
            boost: program(Kind::Boost)?,
            max_maturity: parameters.number("max_maturity", 0, MAX_MATURITY)?.map(|age| age as u8),
        })
    }

    /// Whether titles are left out.
    pub fn has_filter(&self) -> bool {
        self.filter.is_some() || self.max_maturity.is_some()
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        !self.has_filter() && !self.has_boost()
    }

    /// Whether scores are changed.
    pub fn has_boost(&self) -> bool {
        self.boost.is_some()
    }
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
    pub fn finish(&self) -> Result<(), Problem> {
        if !self.budget.is_spent_out() {
            return Ok(());
        }
        metrics::counter!("nearline_expression_limit_hits_total").increment(1);
        let detail = format!(
            "`filter` and `boost` took more than {} evaluation steps over all titles; look through shorter \
             lists, and put the condition that most titles fail first",
            self.steps
        );
        Err(Problem::new(ProblemKind::ExpressionTooCostly, detail))
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

fn refused(kind: Kind, text: &str, error: &ExpressionError) -> Problem {
    let (parameter, example) = kind.parts();
    let near: String = text.chars().skip(error.position.saturating_sub(1)).take(24).collect();
    let near = if near.is_empty() { String::new() } else { format!(" (near `{near}`)") };
    let detail = format!(
        "`{parameter}` at character {}{near}: {}; an example: {example}",
        error.position, error.detail
    );
    Problem::new(ProblemKind::InvalidExpression, detail)
        .with("parameter", parameter)
        .with("position", error.position)
        .with("example", example)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_used_longest_ago_makes_room() {
        let programs = Programs::new(2);
        let first = programs.get(Kind::Filter, "true").expect("compiles");
        programs.get(Kind::Filter, "false").expect("compiles");
        let again = programs.get(Kind::Filter, "true").expect("held");
        assert!(Arc::ptr_eq(&first, &again));
        programs.get(Kind::Boost, "2.0").expect("compiles");
        let held = programs.held.lock();
        assert_eq!(held.programs.len(), 2);
        assert!(!held.programs.contains_key(&(Kind::Filter, "false".to_owned())));
    }
}
