//! The value of an expression for each row of a batch.

use std::borrow::Cow;
use std::cmp::Ordering;

use anyhow::{Context, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use super::node::{Comparison, Kind, Like, Node, Operator, Value};
use super::{Column, calendar, functions};

/// Calls `with` with the level of each row.
pub(super) fn levels(
    node: &Node,
    columns: &[Column],
    batch: &RecordBatch,
    mut with: impl FnMut(usize, Option<&str>),
) -> anyhow::Result<()> {
    let arrays: Vec<ArrayRef> =
        columns.iter().map(|column| plain(column, batch)).collect::<anyhow::Result<_>>()?;
    for row in 0..batch.num_rows() {
        let value = Row { arrays: &arrays, columns, row }.value(node);
        match value {
            Value::Null => with(row, None),
            Value::Truth(truth) => with(row, Some(if truth { "true" } else { "false" })),
            Value::Integer(number) => with(row, Some(&number.to_string())),
            Value::Text(text) => with(row, Some(&text)),
            Value::Date(days) => with(row, calendar::written(days).as_deref()),
            Value::Number(_) | Value::Time(_) => bail!("the expression gave a value that is no level"),
        }
    }
    Ok(())
}

/// A column as the type that its values have in expressions.
fn plain(column: &Column, batch: &RecordBatch) -> anyhow::Result<ArrayRef> {
    let Some(array) = batch.column_by_name(&column.name) else {
        bail!("the column `{}` was not read", column.name)
    };
    let to = match column.kind {
        Kind::Truth => DataType::Boolean,
        Kind::Integer => DataType::Int64,
        Kind::Number => DataType::Float64,
        Kind::Date => DataType::Date32,
        // The values of a timestamp with a zone are of UTC already.
        Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        Kind::Text | Kind::Null => DataType::Utf8,
    };
    let cast = arrow_cast::cast(array, &to).with_context(|| format!("the column `{}`", column.name))?;
    if cast.null_count() > array.null_count() && column.kind == Kind::Integer {
        bail!("the column `{}` has whole numbers beyond 64 bits with a sign", column.name);
    }
    Ok(cast)
}

struct Row<'a> {
    arrays: &'a [ArrayRef],
    columns: &'a [Column],
    row: usize,
}

impl<'a> Row<'a> {
    fn value(&self, node: &'a Node) -> Value<'a> {
        match node {
            Node::Constant(value) => value.clone(),
            Node::Column(place) => self.column(*place),
            Node::Not(of) => match self.value(of) {
                Value::Truth(truth) => Value::Truth(!truth),
                _ => Value::Null,
            },
            Node::And(one, two) => self.logic(one, two, false),
            Node::Or(one, two) => self.logic(one, two, true),
            Node::Compare(how, one, two) => match self.value(one).order(&self.value(two)) {
                Some(order) => Value::Truth(how.holds(order)),
                None => Value::Null,
            },
            Node::Same(one, two) => {
                let (one, two) = (self.value(one), self.value(two));
                let both_null = one == Value::Null && two == Value::Null;
                Value::Truth(both_null || one.order(&two) == Some(Ordering::Equal))
            }
            Node::Arithmetic(operator, one, two) => operator.value(&self.value(one), &self.value(two)),
            Node::Is(of, None) => Value::Truth(self.value(of) == Value::Null),
            Node::Is(of, Some(truth)) => Value::Truth(self.value(of) == Value::Truth(*truth)),
            Node::Among(of, list) => self.among(of, list),
            Node::Like { of, pattern, fold } => match self.value(of) {
                Value::Text(text) if *fold => Value::Truth(is_like(&text.to_lowercase(), pattern)),
                Value::Text(text) => Value::Truth(is_like(&text, pattern)),
                _ => Value::Null,
            },
            Node::Case(cases, otherwise) => {
                let found = cases.iter().find(|(condition, _)| self.value(condition) == Value::Truth(true));
                self.value(found.map_or(otherwise.as_ref(), |(_, result)| result))
            }
            Node::Cast(of, kind) => self.value(of).cast(*kind),
            Node::Part(part, of) => {
                self.value(of).time().and_then(|time| part.of(time)).map_or(Value::Null, Value::Integer)
            }
            Node::Truncate(part, of) => {
                self.value(of).time().and_then(|time| part.first_day(time)).map_or(Value::Null, Value::Date)
            }
            Node::Call(function, of) => function.value(of.iter().map(|of| self.value(of)).collect()),
        }
    }

    fn column(&self, place: usize) -> Value<'a> {
        let (array, row) = (&self.arrays[place], self.row);
        if array.is_null(row) {
            return Value::Null;
        }
        match self.columns[place].kind {
            Kind::Null => Value::Null,
            Kind::Truth => Value::Truth(array.as_boolean().value(row)),
            Kind::Integer => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
            Kind::Number => functions::finite(array.as_primitive::<Float64Type>().value(row)),
            Kind::Text => Value::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
            Kind::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
            Kind::Time => Value::Time(array.as_primitive::<TimestampMicrosecondType>().value(row)),
        }
    }

    /// AND decides with false, OR with true; null is what neither decides.
    fn logic(&self, one: &'a Node, two: &'a Node, decides: bool) -> Value<'a> {
        let one = self.value(one);
        if one == Value::Truth(decides) {
            return one;
        }
        match (one, self.value(two)) {
            (_, two) if two == Value::Truth(decides) => two,
            (Value::Truth(_), Value::Truth(_)) => Value::Truth(!decides),
            _ => Value::Null,
        }
    }

    fn among(&self, of: &'a Node, list: &'a [Node]) -> Value<'a> {
        let value = self.value(of);
        let mut unknown = false;
        for other in list {
            match value.order(&self.value(other)) {
                Some(Ordering::Equal) => return Value::Truth(true),
                Some(_) => {}
                None => unknown = true,
            }
        }
        if unknown { Value::Null } else { Value::Truth(false) }
    }
}

impl Value<'_> {
    /// How two values of one type stand to each other; none if either is null.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Truth(one), Self::Truth(two)) => Some(one.cmp(two)),
            (Self::Integer(one), Self::Integer(two)) | (Self::Time(one), Self::Time(two)) => {
                Some(one.cmp(two))
            }
            (Self::Number(one), Self::Number(two)) => one.partial_cmp(two),
            (Self::Text(one), Self::Text(two)) => Some(one.cmp(two)),
            (Self::Date(one), Self::Date(two)) => Some(one.cmp(two)),
            _ => None,
        }
    }

    fn time(&self) -> Option<i64> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Date(days) => Some(calendar::start(*days)),
            _ => None,
        }
    }

    /// The value as another type; null where it has none.
    pub fn cast(self, to: Kind) -> Self {
        let found = match (to, &self) {
            (Kind::Text, Value::Truth(truth)) => {
                Some(Value::Text(Cow::Borrowed(if *truth { "true" } else { "false" })))
            }
            (Kind::Text, Value::Integer(number)) => Some(Value::Text(Cow::Owned(number.to_string()))),
            (Kind::Text, Value::Date(days)) => {
                calendar::written(*days).map(|text| Value::Text(Cow::Owned(text)))
            }
            (Kind::Integer, Value::Truth(truth)) => Some(Value::Integer(i64::from(*truth))),
            (Kind::Integer, Value::Number(number)) => whole(number.trunc()),
            (Kind::Integer, Value::Text(text)) => text.trim().parse().ok().map(Value::Integer),
            (Kind::Number, Value::Integer(number)) => Some(Value::Number(*number as f64)),
            (Kind::Number, Value::Truth(truth)) => Some(Value::Number(f64::from(u8::from(*truth)))),
            (Kind::Number, Value::Text(text)) => text.trim().parse().ok().map(functions::finite),
            (Kind::Truth, Value::Integer(number)) => Some(Value::Truth(*number != 0)),
            (Kind::Truth, Value::Text(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "1" => Some(Value::Truth(true)),
                "false" | "f" | "0" => Some(Value::Truth(false)),
                _ => None,
            },
            (Kind::Date, Value::Time(time)) => Some(Value::Date(calendar::day(*time))),
            (Kind::Date, Value::Text(text)) => calendar::parse_date(text).map(Value::Date),
            (Kind::Time, Value::Date(days)) => Some(Value::Time(calendar::start(*days))),
            (Kind::Time, Value::Text(text)) => calendar::parse_time(text).map(Value::Time),
            _ => return self,
        };
        found.unwrap_or(Value::Null)
    }
}

/// A number without a fraction as one of 64 bits.
fn whole(number: f64) -> Option<Value<'static>> {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    fits.then_some(Value::Integer(number as i64))
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Operator {
    fn value(self, one: &Value<'_>, two: &Value<'_>) -> Value<'static> {
        match (one, two) {
            (Value::Integer(one), Value::Integer(two)) => {
                let result = match self {
                    Self::Plus => one.checked_add(*two),
                    Self::Minus => one.checked_sub(*two),
                    Self::Times => one.checked_mul(*two),
                    // Divisions were given numbers.
                    Self::Over | Self::Modulo => one.checked_rem(*two),
                };
                result.map_or(Value::Null, Value::Integer)
            }
            (Value::Number(_), Value::Number(0.0)) if self == Self::Over => Value::Null,
            (Value::Number(one), Value::Number(two)) => functions::finite(match self {
                Self::Plus => one + two,
                Self::Minus => one - two,
                Self::Times => one * two,
                Self::Over => one / two,
                Self::Modulo => one % two,
            }),
            _ => Value::Null,
        }
    }
}

/// Whether a text is like a pattern; the last `%` takes one character more whenever what follows it does not fit.
fn is_like(text: &str, pattern: &[Like]) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut step) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(step) {
            Some(Like::Any) => {
                again = Some((at, step));
                step += 1;
            }
            Some(Like::One) => (at, step) = (at + 1, step + 1),
            Some(Like::This(this)) if *this == text[at] => (at, step) = (at + 1, step + 1),
            _ => {
                let Some((from, any)) = again else { return false };
                again = Some((from + 1, any));
                (at, step) = (from + 1, any + 1);
            }
        }
    }
    pattern[step..].iter().all(|step| *step == Like::Any)
}
