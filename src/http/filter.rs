//! The `filter`, `boost` and `max_maturity` parameters, compiled.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use nearline_ranking::expression::{ExpressionError, Program};
use nearline_ranking::gate::{BudgetSpent, Expressions};
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

/// Reads filter, boost and maturity limit of a request.
///
/// # Errors
/// Where an expression is wrong, with an example of a right one.
pub fn read(parameters: &Parameters, programs: &Programs) -> Result<Expressions, Problem> {
    let program =
        |kind: Kind| parameters.raw(kind.parts().0).map(|text| programs.get(kind, text)).transpose();
    Ok(Expressions {
        filter: program(Kind::Filter)?,
        boost: program(Kind::Boost)?,
        max_maturity: parameters.number("max_maturity", 0, MAX_MATURITY)?.map(|age| age as u8),
    })
}

/// The problem of expressions that took too many steps.
pub fn too_costly(spent: BudgetSpent) -> Problem {
    Problem::new(ProblemKind::ExpressionTooCostly, spent.to_string())
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
