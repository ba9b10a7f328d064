//! Columns and written values with their types, and what types have in common.

use anyhow::{Context, bail};
use arrow_schema::{DataType, Field, Schema};
use sqlparser::ast::{Expr, Ident, Value as Literal};

use super::calendar::{parse_date, parse_time};
use super::node::{Kind, Node, Value};

/// A part of an expression with its type.
pub(super) type Typed = (Node, Kind);

/// The column of this name, in capitals or not where it is not between quotes.
pub(super) fn field<'a>(schema: &'a Schema, name: &Ident) -> Option<&'a Field> {
    let fields = schema.fields();
    let exact = fields.iter().find(|field| *field.name() == name.value);
    let folded = || {
        let mut alike = fields.iter().filter(|field| field.name().eq_ignore_ascii_case(&name.value));
        // A quoted name is meant as it is written; one that could be two is none.
        alike.next().filter(|_| alike.next().is_none() && name.quote_style.is_none())
    };
    exact.or_else(folded).map(AsRef::as_ref)
}

/// What is written as a value.
pub(super) fn literal(value: &Literal) -> anyhow::Result<Typed> {
    Ok(match value {
        Literal::Number(text, _) => match text.parse::<i64>() {
            Ok(whole) => (Node::Constant(Value::Integer(whole)), Kind::Integer),
            Err(_) => {
                let number: f64 = text.parse().with_context(|| format!("`{text}` is no number"))?;
                (Node::Constant(Value::Number(number)), Kind::Number)
            }
        },
        Literal::SingleQuotedString(text) => (Node::Constant(Value::Text(text.clone().into())), Kind::Text),
        Literal::Boolean(truth) => (Node::Constant(Value::Truth(*truth)), Kind::Truth),
        Literal::Null => (Node::Constant(Value::Null), Kind::Null),
        Literal::DoubleQuotedString(text) => bail!("\"{text}\" is the name of a column; text stands in '…'"),
        other => bail!("`{other}` is not known here"),
    })
}

/// The type that values of two types have in common.
pub(super) fn common(one: Kind, two: Kind) -> Option<Kind> {
    match (one, two) {
        (one, two) if one == two => Some(one),
        (Kind::Null, other) | (other, Kind::Null) => Some(other),
        (Kind::Integer, Kind::Number) | (Kind::Number, Kind::Integer) => Some(Kind::Number),
        (Kind::Date, Kind::Time) | (Kind::Time, Kind::Date) => Some(Kind::Time),
        // A text that is written beside a date or a moment is meant as one.
        (Kind::Text, other @ (Kind::Date | Kind::Time)) | (other @ (Kind::Date | Kind::Time), Kind::Text) => {
            Some(other)
        }
        _ => None,
    }
}

/// A value brought to a type that it has without a loss.
pub(super) fn bring((node, from): Typed, to: Kind) -> Option<Node> {
    match (from, to) {
        (from, to) if from == to => Some(node),
        (Kind::Null, _) => Some(node),
        (Kind::Integer, Kind::Number) | (Kind::Date, Kind::Time) => Some(Node::Cast(Box::new(node), to)),
        (Kind::Text, Kind::Date | Kind::Time) => {
            let Node::Constant(Value::Text(text)) = &node else { return None };
            let found = match to {
                Kind::Date => Value::Date(parse_date(text)?),
                _ => Value::Time(parse_time(text)?),
            };
            Some(Node::Constant(found))
        }
        _ => None,
    }
}

pub(super) fn brought(typed: Typed, to: Kind, expression: &Expr) -> anyhow::Result<Node> {
    let from = typed.1;
    bring(typed, to).with_context(|| format!("`{expression}` is {from}, where {to} is wanted"))
}

/// The type that a column's values have in expressions.
pub(super) fn kind_of(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Truth,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Dictionary(_, values) => return kind_of(values),
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(_, _) => Kind::Time,
        DataType::Null => Kind::Null,
        other if other.is_integer() => Kind::Integer,
        other
            if other.is_floating()
                || matches!(other, DataType::Decimal128(_, _) | DataType::Decimal256(_, _)) =>
        {
            Kind::Number
        }
        _ => return None,
    })
}
