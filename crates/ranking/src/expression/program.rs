//! Checked programs.

use super::budget::Budget;
use super::kind::{ExpressionError, Type};
use super::node::Node;
use super::parse::Parser;
use super::scope::Scope;
use super::{MAX_BYTES, token};

/// A checked expression, ready to be evaluated any number of times.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub(super) root: Node,
    kind: Type,
}

impl Program {
    /// Reads and checks an expression of any type.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn read(text: &str) -> Result<Self, ExpressionError> {
        if text.len() > MAX_BYTES {
            let detail = format!("the expression has {} bytes; at most {MAX_BYTES} are taken", text.len());
            return Err(ExpressionError::at(1, detail));
        }
        let tokens = token::tokens(text)?;
        let (root, kind) = Parser::new(&tokens).program()?;
        Ok(Self { root, kind })
    }

    /// Reads a filter: an expression that is true or false.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn filter(text: &str) -> Result<Self, ExpressionError> {
        let program = Self::read(text)?;
        if program.kind != Type::Bool {
            let detail = format!("the filter is of type {}; it must be a bool", program.kind.name());
            return Err(ExpressionError::at(1, detail));
        }
        Ok(program)
    }

    /// Reads a boost: an expression that is a number.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn boost(text: &str) -> Result<Self, ExpressionError> {
        let program = Self::read(text)?;
        if !program.kind.is_number() {
            let detail = format!("the boost is of type {}; it must be a double", program.kind.name());
            return Err(ExpressionError::at(1, detail));
        }
        Ok(program)
    }

    /// Type of what it evaluates to.
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// Whether a title is admitted; one that it is an error for is not.
    pub fn admits(&self, scope: &Scope<'_>, budget: &Budget) -> bool {
        self.as_bool(scope, budget) == Some(true)
    }

    /// What a title's score is multiplied by, 0 to 1,000; 1 for one that it is an error for.
    pub fn factor(&self, scope: &Scope<'_>, budget: &Budget) -> f64 {
        self.as_number(scope, budget).filter(|factor| !factor.is_nan()).unwrap_or(1.0).clamp(0.0, MAX_FACTOR)
    }
}

/// Largest boost.
const MAX_FACTOR: f64 = 1_000.0;
