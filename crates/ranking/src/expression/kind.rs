//! Types of expressions, and what is wrong with one that has none.

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
