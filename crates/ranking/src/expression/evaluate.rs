//! Evaluating a checked program. `None` is CEL's error: something that is not known, a division by
//! zero, an overflow, or a budget that has run out.

use super::budget::Budget;
use super::node::{Arithmetic, Comparison, Node, TextTest};
use super::program::Program;
use super::scope::{Scope, Texts, Value};
use std::cmp::Ordering;

/// Bytes of text that one step compares.
const BYTES_PER_STEP: usize = 16;

struct Evaluation<'a, 's> {
    scope: &'s Scope<'a>,
    budget: &'s Budget,
    /// Variables of the macros around what is evaluated, the outermost first.
    variables: Vec<Value<'a>>,
}

impl Program {
    /// The value, of a program of type `bool`.
    pub fn as_bool(&self, scope: &Scope<'_>, budget: &Budget) -> Option<bool> {
        match Evaluation::of(scope, budget).value(&self.root)? {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value, of a program that is a number.
    pub fn as_number(&self, scope: &Scope<'_>, budget: &Budget) -> Option<f64> {
        match Evaluation::of(scope, budget).value(&self.root)? {
            Value::Int(value) => Some(value as f64),
            Value::Double(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a, 's> Evaluation<'a, 's> {
    fn of(scope: &'s Scope<'a>, budget: &'s Budget) -> Self {
        Self { scope, budget, variables: Vec::new() }
    }

    fn value<'n>(&mut self, node: &'n Node) -> Option<Value<'a>>
    where
        'n: 'a,
    {
        self.budget.take(1)?;
        Some(match node {
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Double(value) => Value::Double(*value),
            Node::Text(text) => Value::Text(text),
            Node::Texts(texts) => Value::Texts(Texts::Owned(texts)),
            Node::Ints(numbers) => Value::Ints(numbers),
            Node::Field(field) => self.scope.field(*field)?,
            Node::Variable(number) => *self.variables.get(*number)?,
            Node::Has(field) => Value::Bool(self.scope.field(*field).is_some()),
            Node::Not(value) => Value::Bool(!self.bool(value)?),
            Node::Negate(value) => match self.value(value)? {
                Value::Int(value) => Value::Int(value.checked_neg()?),
                Value::Double(value) => Value::Double(-value),
                _ => return None,
            },
            Node::And(left, right) => Value::Bool(self.absorbing(left, right, false)?),
            Node::Or(left, right) => Value::Bool(self.absorbing(left, right, true)?),
            Node::Conditional(parts) => {
                let (condition, then, otherwise) = &**parts;
                if self.bool(condition)? { self.value(then)? } else { self.value(otherwise)? }
            }
            Node::Compare(comparison, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                Value::Bool(self.compare(*comparison, left, right)?)
            }
            Node::Compute(operation, left, right) => {
                compute(*operation, self.value(left)?, self.value(right)?)?
            }
            Node::In(element, list) => {
                let (element, list) = (self.value(element)?, self.value(list)?);
                Value::Bool(self.is_in(element, list)?)
            }
            Node::Test(test, text, part) => {
                let (Value::Text(text), Value::Text(part)) = (self.value(text)?, self.value(part)?) else {
                    return None;
                };
                self.look_at(text.len())?;
                Value::Bool(match test {
                    TextTest::StartsWith => text.starts_with(part),
                    TextTest::EndsWith => text.ends_with(part),
                    TextTest::Contains => text.contains(part),
                })
            }
            Node::Size(value) => Value::Int(match self.value(value)? {
                Value::Text(text) => {
                    self.look_at(text.len())?;
                    text.chars().count() as i64
                }
                Value::Texts(texts) => texts.len() as i64,
                Value::Ints(numbers) => numbers.len() as i64,
                _ => return None,
            }),
            Node::ToDouble(value) => match self.value(value)? {
                Value::Int(value) => Value::Double(value as f64),
                value => value,
            },
            Node::Exists(list, condition) => Value::Bool(self.over(list, condition, true)?),
            Node::All(list, condition) => Value::Bool(self.over(list, condition, false)?),
        })
    }

    fn bool<'n>(&mut self, node: &'n Node) -> Option<bool>
    where
        'n: 'a,
    {
        match self.value(node)? {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// `&&` (decided by false) and `||` (decided by true): either side decides, whatever the other is.
    fn absorbing<'n>(&mut self, left: &'n Node, right: &'n Node, decides: bool) -> Option<bool>
    where
        'n: 'a,
    {
        let left = self.bool(left);
        if left == Some(decides) {
            return left;
        }
        let right = self.bool(right);
        if right == Some(decides) { right } else { left.and(right) }
    }

    /// `exists` (decided by true) and `all` (decided by false).
    fn over<'n>(&mut self, list: &'n Node, condition: &'n Node, decides: bool) -> Option<bool>
    where
        'n: 'a,
    {
        let list = self.value(list)?;
        let length = match list {
            Value::Texts(texts) => texts.len(),
            Value::Ints(numbers) => numbers.len(),
            _ => return None,
        };
        let mut answer = Some(!decides);
        for at in 0..length {
            self.variables.push(match list {
                Value::Texts(texts) => Value::Text(texts.get(at)),
                Value::Ints(numbers) => Value::Int(numbers[at]),
                _ => return None,
            });
            let holds = self.bool(condition);
            self.variables.pop();
            if holds == Some(decides) {
                return holds;
            }
            answer = answer.and(holds);
        }
        answer
    }

    fn look_at(&self, bytes: usize) -> Option<()> {
        self.budget.take((bytes / BYTES_PER_STEP) as u64)
    }

    fn is_in(&self, element: Value<'_>, list: Value<'_>) -> Option<bool> {
        match (element, list) {
            (Value::Text(text), Value::Texts(texts)) => {
                self.budget.take(texts.len() as u64)?;
                Some(texts.contains(text))
            }
            (Value::Int(number), Value::Ints(numbers)) => {
                self.budget.take(numbers.len() as u64)?;
                Some(numbers.contains(&number))
            }
            (Value::Double(number), Value::Ints(numbers)) => {
                self.budget.take(numbers.len() as u64)?;
                Some(numbers.iter().any(|int| order(*int, number) == Some(Ordering::Equal)))
            }
            _ => None,
        }
    }

    fn compare(&self, comparison: Comparison, left: Value<'_>, right: Value<'_>) -> Option<bool> {
        let ordering = match (left, right) {
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(&right)),
            (Value::Int(left), Value::Int(right)) => Some(left.cmp(&right)),
            (Value::Double(left), Value::Double(right)) => left.partial_cmp(&right),
            (Value::Int(left), Value::Double(right)) => order(left, right),
            (Value::Double(left), Value::Int(right)) => order(right, left).map(Ordering::reverse),
            (Value::Text(left), Value::Text(right)) => {
                self.look_at(left.len().min(right.len()))?;
                Some(left.cmp(right))
            }
            (Value::Texts(left), Value::Texts(right)) => {
                self.budget.take(left.len().min(right.len()) as u64)?;
                let equal =
                    left.len() == right.len() && (0..left.len()).all(|at| left.get(at) == right.get(at));
                (equal).then_some(Ordering::Equal)
            }
            (Value::Ints(left), Value::Ints(right)) => {
                self.budget.take(left.len().min(right.len()) as u64)?;
                (left == right).then_some(Ordering::Equal)
            }
            _ => return None,
        };
        Some(match comparison {
            Comparison::Equal => ordering == Some(Ordering::Equal),
            Comparison::Unequal => ordering != Some(Ordering::Equal),
            Comparison::Less => ordering == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => ordering == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        })
    }
}

/// An int beside a double, exactly: not every int has a double of its own.
fn order(int: i64, double: f64) -> Option<Ordering> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        None
    } else if double >= LIMIT {
        Some(Ordering::Less)
    } else if double < -LIMIT {
        Some(Ordering::Greater)
    } else {
        let whole = double.trunc();
        Some(int.cmp(&(whole as i64)).then_with(|| 0.0_f64.total_cmp(&(double - whole + 0.0))))
    }
}

fn compute<'a>(operation: Arithmetic, left: Value<'_>, right: Value<'_>) -> Option<Value<'a>> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(Value::Int(match operation {
            Arithmetic::Add => left.checked_add(right)?,
            Arithmetic::Subtract => left.checked_sub(right)?,
            Arithmetic::Multiply => left.checked_mul(right)?,
            Arithmetic::Divide => left.checked_div(right)?,
            Arithmetic::Remainder => left.checked_rem(right)?,
        })),
        (Value::Double(left), Value::Double(right)) => Some(Value::Double(match operation {
            Arithmetic::Add => left + right,
            Arithmetic::Subtract => left - right,
            Arithmetic::Multiply => left * right,
            Arithmetic::Divide => left / right,
            Arithmetic::Remainder => return None,
        })),
        _ => None,
    }
}
