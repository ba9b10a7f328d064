//! What an expression is made of once its types are known.

use std::borrow::Cow;

use super::calendar::Part;

/// A type of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing but null.
    Null,
    /// True or false.
    Truth,
    /// A whole number of 64 bits.
    Integer,
    /// A number with a fraction, or one that may have one.
    Number,
    /// Text.
    Text,
    /// A day.
    Date,
    /// A moment, in microseconds of UTC.
    Time,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Null => "null",
            Self::Truth => "true or false",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Text => "text",
            Self::Date => "a date",
            Self::Time => "a timestamp",
        })
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Truth(bool),
    Integer(i64),
    Number(f64),
    Text(Cow<'a, str>),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    Time(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Modulo,
}

/// One step of a pattern of LIKE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Like {
    /// Any characters, or none.
    Any,
    /// One character.
    One,
    /// This character.
    This(char),
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Ceil,
    Coalesce,
    Concat,
    Exp,
    Floor,
    Greatest,
    If,
    /// `||`: null with anything is null, and not what `concat` makes of it.
    Join,
    Least,
    Left,
    Length,
    Ln,
    Log10,
    Lower,
    Mod,
    NullIf,
    Position,
    Power,
    Replace,
    Right,
    Round,
    Sign,
    Sqrt,
    StartsWith,
    Substring,
    Trim,
    TrimEnd,
    TrimStart,
    Upper,
}

#[derive(Debug)]
pub(super) enum Node {
    Constant(Value<'static>),
    /// A column, by its place among those that are read.
    Column(usize),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    /// Whether two values are the same, null being one.
    Same(Box<Node>, Box<Node>),
    Arithmetic(Operator, Box<Node>, Box<Node>),
    /// Whether it is null (`None`), or just this truth.
    Is(Box<Node>, Option<bool>),
    Among(Box<Node>, Vec<Node>),
    Like {
        of: Box<Node>,
        pattern: Vec<Like>,
        fold: bool,
    },
    Case(Vec<(Node, Node)>, Box<Node>),
    Cast(Box<Node>, Kind),
    /// A part of a date or moment.
    Part(Part, Box<Node>),
    /// The first day of the part that a date or moment lies in.
    Truncate(Part, Box<Node>),
    Call(Function, Vec<Node>),
}
