//! The tree of an expression whose types are right.

use super::name::Field;

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
