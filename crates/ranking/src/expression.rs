//! Filters and boosts that callers write: expressions of the Common Expression Language (CEL) over a
//! title of the catalogue, the request's context and the member.
//!
//! The language is a subset of CEL (<https://github.com/google/cel-spec>, `doc/langdef.md`), checked
//! when it is read: every name and every type is known before anything is evaluated, so a mistake is
//! told once, with its place, instead of emptying a row. The parts are [`Program`] (text to checked
//! program) and [`Scope`] (what it is evaluated over).
//!
//! | what | which |
//! | --- | --- |
//! | values | `bool`, `int`, `double`, `string`, lists of strings or ints |
//! | operators | `? :`, `\|\|`, `&&`, `==` `!=` `<` `<=` `>` `>=`, `in`, `+ - * / %`, `!`, unary `-` |
//! | functions | `has(title.year)`, `size(x)`, `double(i)`, `.startsWith(s)`, `.endsWith(s)`, `.contains(s)`, `.size()` |
//! | macros | `list.exists(x, condition)`, `list.all(x, condition)` |
//!
//! What a title does not have (a year that is not in the catalogue) is an error in CEL. As there,
//! `&&` and `||` absorb an error that the other side decides without, and otherwise it goes up: a
//! filter that ends in one does not admit the title, a boost that does is 1.
//!
//! Reading is bounded by [`MAX_BYTES`], [`MAX_DEPTH`] and [`MAX_NODES`], evaluating by a [`Budget`] of
//! steps shared by a whole request.

mod budget;
mod evaluate;
mod kind;
mod name;
mod node;
mod parse;
mod program;
mod scope;
mod token;

pub use budget::{Budget, Stop};
pub use kind::{ExpressionError, Type};
pub use program::Program;
pub use scope::{Context, Scope};

/// Longest expression, in bytes.
pub const MAX_BYTES: usize = 1_024;
/// Deepest nesting of parentheses, brackets, calls, unary and conditional operators.
pub const MAX_DEPTH: usize = 32;
/// Most operators, names and literals.
pub const MAX_NODES: usize = 256;
