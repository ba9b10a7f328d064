//! Checked programs.

use super::name::Field;
use super::parse::Parser;
use super::scope::Scope;
use super::{Budget, MAX_BYTES, token};

/// Type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `bool`.
    Bool,
    /// `int`, 64 bits.
    Int,
    /// `double`.
    Double,
    /// `string`.
    Text,
    /// A list of strings.
    Texts,
    /// A list of ints.
    Ints,
}

impl Type {
    /// Name in CEL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Texts => "list(string)",
            Self::Ints => "list(int)",
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }
}

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {detail}")]
pub struct ExpressionError {
    /// Place in the expression: characters, from 1.
    pub position: usize,
    /// What is wrong there, and what is expected.
    pub detail: String,
}

impl ExpressionError {
    pub(super) fn at(position: usize, detail: impl Into<String>) -> Self {
        Self { position, detail: detail.into() }
    }
}

/// How two numbers, texts or lists are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is done to two numbers of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What is asked of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextTest {
    StartsWith,
    EndsWith,
    Contains,
}

/// An expression whose types are right.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
    Texts(Vec<String>),
    Ints(Vec<i64>),
    Field(Field),
    /// The variable of the n-th macro around it, counted from the outermost.
    Variable(usize),
    Has(Field),
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Conditional(Box<(Node, Node, Node)>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Compute(Arithmetic, Box<Node>, Box<Node>),
    In(Box<Node>, Box<Node>),
    Test(TextTest, Box<Node>, Box<Node>),
    Size(Box<Node>),
    ToDouble(Box<Node>),
    /// `exists` over a list.
    Exists(Box<Node>, Box<Node>),
    /// `all` over a list.
    All(Box<Node>, Box<Node>),
}

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
