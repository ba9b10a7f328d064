//! Types of an expression: columns found, operands brought to one type, everything else refused with its reason.

use anyhow::{Context, bail};
use arrow_schema::Schema;
use sqlparser::ast::{
    BinaryOperator, CeilFloorKind, DataType as SqlType, DateTimeField, Expr, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, InTarget, UnaryOperator,
};

use super::Column;
use super::calendar::Part;
use super::functions::{self, Gives};
use super::node::{Comparison, Function, Kind, Like, Node, Operator, Value};
use super::typed::{Typed, bring, brought, common, field, kind_of, literal};

/// Parts of an expression within each other.
const DEEPEST: usize = 200;

pub(super) struct Check<'a> {
    schema: &'a Schema,
    depth: usize,
    pub columns: Vec<Column>,
}

impl<'a> Check<'a> {
    pub fn new(schema: &'a Schema) -> Self {
        Self { schema, depth: 0, columns: Vec::new() }
    }

    /// An expression with its type.
    pub fn node(&mut self, expression: &Expr) -> anyhow::Result<Typed> {
        self.depth += 1;
        if self.depth > DEEPEST {
            bail!(
                "it has more than {DEEPEST} parts within each other; say it with IN, or with parentheses around halves"
            );
        }
        let typed = self.of_any_form(expression);
        self.depth -= 1;
        typed
    }

    fn of_any_form(&mut self, expression: &Expr) -> anyhow::Result<Typed> {
        let typed = match expression {
            Expr::Nested(inner) => self.node(inner)?,
            Expr::Identifier(name) => self.column(name)?,
            Expr::Value(value) => literal(&value.value)?,
            Expr::TypedString(typed) => {
                let of = literal(&typed.value.value)?;
                self.cast(of, &typed.data_type)?
            }
            Expr::IsNull(of) => (Node::Is(Box::new(self.node(of)?.0), None), Kind::Truth),
            Expr::IsNotNull(of) => not(Node::Is(Box::new(self.node(of)?.0), None)),
            Expr::IsTrue(of) => (Node::Is(self.truth(of)?, Some(true)), Kind::Truth),
            Expr::IsNotTrue(of) => not(Node::Is(self.truth(of)?, Some(true))),
            Expr::IsFalse(of) => (Node::Is(self.truth(of)?, Some(false)), Kind::Truth),
            Expr::IsNotFalse(of) => not(Node::Is(self.truth(of)?, Some(false))),
            Expr::IsDistinctFrom(one, two) => {
                let (one, two) = self.alike(one, two)?;
                not(Node::Same(one, two))
            }
            Expr::IsNotDistinctFrom(one, two) => {
                let (one, two) = self.alike(one, two)?;
                (Node::Same(one, two), Kind::Truth)
            }
            Expr::In { expr, target: InTarget::List(list), negated, .. } => {
                negate(self.among(expr, list)?, *negated)
            }
            Expr::Between { expr, negated, low, high } => {
                let (above, low) = self.alike(expr, low)?;
                let (below, high) = self.alike(expr, high)?;
                let above = Node::Compare(Comparison::GreaterOrEqual, above, low);
                let below = Node::Compare(Comparison::LessOrEqual, below, high);
                negate((Node::And(Box::new(above), Box::new(below)), Kind::Truth), *negated)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                negate(self.like(expr, pattern, escape_char.as_deref(), false)?, *negated)
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
                negate(self.like(expr, pattern, escape_char.as_deref(), true)?, *negated)
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right)?,
            Expr::UnaryOp { op, expr } => self.unary(*op, expr)?,
            Expr::Case { operand, conditions, else_result, .. } => {
                let cases = conditions.iter().map(|case| (&case.condition, &case.result)).collect();
                self.case(operand.as_deref(), cases, else_result.as_deref())?
            }
            Expr::Cast { expr, data_type, format: None, .. } => {
                let of = self.node(expr)?;
                self.cast(of, data_type)?
            }
            Expr::Extract { field, expr, .. } => self.part(&field.to_string(), expr)?,
            other => self.function(other)?,
        };
        Ok(typed)
    }

    fn column(&mut self, name: &Ident) -> anyhow::Result<Typed> {
        let Some(field) = field(self.schema, name) else {
            let known: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
            bail!("there is no column `{name}`; there are {}", known.join(", "))
        };
        let Some(kind) = kind_of(field.data_type()) else {
            bail!("the column `{name}` is of type {}, which expressions do not read", field.data_type())
        };
        let known = self.columns.iter().position(|column| column.name == *field.name());
        let place = known.unwrap_or_else(|| {
            self.columns.push(Column { name: field.name().clone(), kind });
            self.columns.len() - 1
        });
        Ok((Node::Column(place), kind))
    }

    /// An expression of this type.
    fn of(&mut self, expression: &Expr, kind: Kind) -> anyhow::Result<Box<Node>> {
        let typed = self.node(expression)?;
        let found = typed.1;
        let brought = bring(typed, kind);
        brought.map(Box::new).with_context(|| format!("`{expression}` is {found}, where {kind} is wanted"))
    }

    fn truth(&mut self, expression: &Expr) -> anyhow::Result<Box<Node>> {
        self.of(expression, Kind::Truth)
    }

    /// Two expressions brought to one type.
    fn alike(&mut self, one: &Expr, two: &Expr) -> anyhow::Result<(Box<Node>, Box<Node>)> {
        let (first, second) = (self.node(one)?, self.node(two)?);
        let kind = common(first.1, second.1).with_context(|| {
            format!("`{one}` is {}, `{two}` is {}: they do not compare", first.1, second.1)
        })?;
        Ok((Box::new(brought(first, kind, one)?), Box::new(brought(second, kind, two)?)))
    }

    /// Several expressions brought to one type.
    fn all_alike(&mut self, expressions: &[&Expr]) -> anyhow::Result<(Vec<Node>, Kind)> {
        let mut kind = Kind::Null;
        let mut found = Vec::new();
        for expression in expressions {
            let typed = self.node(expression)?;
            kind = common(kind, typed.1)
                .with_context(|| format!("`{expression}` is {}, what comes before it {kind}", typed.1))?;
            found.push(typed);
        }
        let nodes =
            found.into_iter().zip(expressions).map(|(typed, expression)| brought(typed, kind, expression));
        Ok((nodes.collect::<anyhow::Result<_>>()?, kind))
    }

    fn among(&mut self, of: &Expr, list: &[Expr]) -> anyhow::Result<Typed> {
        let all: Vec<&Expr> = std::iter::once(of).chain(list).collect();
        let (mut nodes, _) = self.all_alike(&all)?;
        let of = nodes.remove(0);
        Ok((Node::Among(Box::new(of), nodes), Kind::Truth))
    }

    fn like(
        &mut self,
        of: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
        fold: bool,
    ) -> anyhow::Result<Typed> {
        let text = |expression: &Expr| match expression {
            Expr::Value(value) => match literal(&value.value)? {
                (Node::Constant(Value::Text(text)), _) => Ok(text.into_owned()),
                _ => bail!("`{expression}` is no text"),
            },
            _ => bail!("the pattern `{expression}` must be written as text"),
        };
        let escape = escape.map(text).transpose()?.and_then(|escape| escape.chars().next());
        let mut pattern = text(pattern)?;
        if fold {
            pattern = pattern.to_lowercase();
        }
        let mut steps = Vec::new();
        let mut rest = pattern.chars();
        while let Some(next) = rest.next() {
            steps.push(match next {
                escaped if Some(escaped) == escape => {
                    Like::This(rest.next().context("the pattern ends with its escape character")?)
                }
                '%' => Like::Any,
                '_' => Like::One,
                other => Like::This(other),
            });
        }
        Ok((Node::Like { of: self.of(of, Kind::Text)?, pattern: steps, fold }, Kind::Truth))
    }

    fn binary(&mut self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> anyhow::Result<Typed> {
        let comparison = match operator {
            BinaryOperator::And => {
                return Ok((Node::And(self.truth(left)?, self.truth(right)?), Kind::Truth));
            }
            BinaryOperator::Or => return Ok((Node::Or(self.truth(left)?, self.truth(right)?), Kind::Truth)),
            BinaryOperator::StringConcat => return self.call(Function::Join, &[left, right]),
            BinaryOperator::Plus => return self.arithmetic(Operator::Plus, left, right),
            BinaryOperator::Minus => return self.arithmetic(Operator::Minus, left, right),
            BinaryOperator::Multiply => return self.arithmetic(Operator::Times, left, right),
            BinaryOperator::Divide => return self.arithmetic(Operator::Over, left, right),
            BinaryOperator::Modulo => return self.arithmetic(Operator::Modulo, left, right),
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::Unequal,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::LessOrEqual,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::GreaterOrEqual,
            other => bail!("the operator `{other}` is not known here"),
        };
        let (left, right) = self.alike(left, right)?;
        Ok((Node::Compare(comparison, left, right), Kind::Truth))
    }

    fn arithmetic(&mut self, operator: Operator, left: &Expr, right: &Expr) -> anyhow::Result<Typed> {
        let (first, second) = (self.node(left)?, self.node(right)?);
        let whole = [first.1, second.1].iter().all(|kind| matches!(kind, Kind::Integer | Kind::Null));
        let kind = if whole && operator != Operator::Over { Kind::Integer } else { Kind::Number };
        let (first, second) = (brought(first, kind, left)?, brought(second, kind, right)?);
        Ok((Node::Arithmetic(operator, Box::new(first), Box::new(second)), kind))
    }

    fn unary(&mut self, operator: UnaryOperator, of: &Expr) -> anyhow::Result<Typed> {
        match operator {
            UnaryOperator::Not => Ok(not(*self.truth(of)?)),
            UnaryOperator::Plus => self.node(of),
            UnaryOperator::Minus => {
                let (node, kind) = self.node(of)?;
                let zero = match kind {
                    Kind::Integer => Value::Integer(0),
                    Kind::Number => Value::Number(0.0),
                    other => bail!("`{of}` is {other}, which has no sign"),
                };
                let zero = Box::new(Node::Constant(zero));
                Ok((Node::Arithmetic(Operator::Minus, zero, Box::new(node)), kind))
            }
            other => bail!("the operator `{other}` is not known here"),
        }
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        cases: Vec<(&Expr, &Expr)>,
        otherwise: Option<&Expr>,
    ) -> anyhow::Result<Typed> {
        let mut conditions = Vec::new();
        for (condition, _) in &cases {
            conditions.push(match operand {
                Some(operand) => {
                    let (operand, condition) = self.alike(operand, condition)?;
                    Node::Compare(Comparison::Equal, operand, condition)
                }
                None => *self.truth(condition)?,
            });
        }
        let results: Vec<&Expr> = cases.iter().map(|(_, result)| *result).chain(otherwise).collect();
        let (mut results, kind) = self.all_alike(&results)?;
        let otherwise = otherwise.and_then(|_| results.pop()).unwrap_or(Node::Constant(Value::Null));
        Ok((Node::Case(conditions.into_iter().zip(results).collect(), Box::new(otherwise)), kind))
    }

    fn cast(&mut self, of: Typed, to: &SqlType) -> anyhow::Result<Typed> {
        let name = to.to_string().to_ascii_uppercase();
        let name = name.split(['(', ' ']).next().unwrap_or_default();
        let kind = match name {
            "BOOL" | "BOOLEAN" => Kind::Truth,
            "TINYINT" | "SMALLINT" | "INT" | "INTEGER" | "BIGINT" | "INT2" | "INT4" | "INT8" | "INT64"
            | "LONG" => Kind::Integer,
            "REAL" | "FLOAT" | "DOUBLE" | "FLOAT4" | "FLOAT8" | "FLOAT64" => Kind::Number,
            "CHAR" | "CHARACTER" | "VARCHAR" | "TEXT" | "STRING" => Kind::Text,
            "DATE" => Kind::Date,
            "TIMESTAMP" | "DATETIME" | "TIMESTAMPTZ" => Kind::Time,
            _ => bail!("there is no cast to {to}"),
        };
        let possible = match (of.1, kind) {
            (Kind::Null, _) => true,
            (from, to) if from == to => true,
            (Kind::Text, _) => true,
            (Kind::Truth, Kind::Integer | Kind::Number | Kind::Text) => true,
            (Kind::Integer, Kind::Number | Kind::Text | Kind::Truth) => true,
            (Kind::Number, Kind::Integer) => true,
            (Kind::Date, Kind::Text | Kind::Time) | (Kind::Time, Kind::Date) => true,
            _ => false,
        };
        if !possible {
            bail!("{} cannot be cast to {to}", of.1);
        }
        Ok((Node::Cast(Box::new(of.0), kind), kind))
    }

    fn part(&mut self, name: &str, of: &Expr) -> anyhow::Result<Typed> {
        let part = Part::named(name).with_context(|| {
            format!(
                "there is no part `{name}`; there are year, quarter, month, week, day, doy, dow, isodow, hour, minute, second"
            )
        })?;
        let (node, kind) = self.node(of)?;
        if !matches!(kind, Kind::Date | Kind::Time) || (kind == Kind::Date && !part.is_of_days()) {
            bail!("`{of}` is {kind}, which has no {name}");
        }
        Ok((Node::Part(part, Box::new(node)), Kind::Integer))
    }

    /// What is written as a function, or in a form of its own that is one.
    fn function(&mut self, expression: &Expr) -> anyhow::Result<Typed> {
        let none = CeilFloorKind::DateTimeField(DateTimeField::NoDateTime);
        match expression {
            Expr::Ceil { expr, field } if *field == none => self.call(Function::Ceil, &[expr]),
            Expr::Floor { expr, field } if *field == none => self.call(Function::Floor, &[expr]),
            Expr::Position { expr, r#in } => self.call(Function::Position, &[r#in, expr]),
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let arguments: Vec<&Expr> =
                    [Some(expr.as_ref()), Some(from.as_ref()), substring_for.as_deref()]
                        .into_iter()
                        .flatten()
                        .collect();
                self.call(Function::Substring, &arguments)
            }
            Expr::Trim { expr, trim_where: None, trim_what: None, trim_characters: None } => {
                self.call(Function::Trim, &[expr])
            }
            Expr::Function(function) if function.over.is_none() && function.filter.is_none() => {
                let FunctionArguments::List(list) = &function.args else {
                    bail!("`{expression}` needs its arguments in parentheses")
                };
                let mut arguments = Vec::new();
                for argument in &list.args {
                    let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
                        bail!("`{argument}` is no argument here")
                    };
                    arguments.push(argument);
                }
                self.named(&function.name.to_string(), &arguments)
            }
            other => bail!("`{other}` is not known here"),
        }
    }

    fn named(&mut self, name: &str, arguments: &[&Expr]) -> anyhow::Result<Typed> {
        let lower = name.to_ascii_lowercase();
        let part = |part: &Expr| part.to_string().trim_matches('\'').to_owned();
        match (lower.as_str(), arguments) {
            ("date_part" | "datepart", [field, of]) => self.part(&part(field), of),
            ("date_trunc", [field, of]) => {
                let found = Part::named(&part(field)).filter(|part| {
                    matches!(part, Part::Year | Part::Quarter | Part::Month | Part::Week | Part::Day)
                });
                let found = found.with_context(|| {
                    format!("`{name}` cuts to 'year', 'quarter', 'month', 'week' or 'day', not to {field}")
                })?;
                let (node, kind) = self.node(of)?;
                if !matches!(kind, Kind::Date | Kind::Time) {
                    bail!("`{of}` is {kind}, which `{name}` does not cut");
                }
                Ok((Node::Truncate(found, Box::new(node)), Kind::Date))
            }
            (
                field @ ("year" | "quarter" | "month" | "week" | "day" | "hour" | "minute" | "second"),
                [of],
            ) => self.part(field, of),
            _ => self.call(functions::named(name, arguments.len())?, arguments),
        }
    }

    fn call(&mut self, function: Function, arguments: &[&Expr]) -> anyhow::Result<Typed> {
        match function.gives() {
            Gives::Same => {
                let (nodes, kind) = self.all_alike(arguments)?;
                let of_numbers = matches!(function, Function::Mod | Function::Abs);
                if of_numbers && !matches!(kind, Kind::Integer | Kind::Number) {
                    bail!("`{}` is {kind}, where a number is wanted", arguments[0]);
                }
                Ok((Node::Call(function, nodes), kind))
            }
            Gives::Chosen => {
                let condition = *self.truth(arguments[0])?;
                let (nodes, kind) = self.all_alike(&arguments[1..])?;
                Ok((Node::Call(function, std::iter::once(condition).chain(nodes).collect()), kind))
            }
            Gives::Of(kind, wanted) => {
                let mut nodes = Vec::new();
                for (place, argument) in arguments.iter().enumerate() {
                    let wanted = wanted[place.min(wanted.len() - 1)];
                    nodes.push(*self.of(argument, wanted)?);
                }
                Ok((Node::Call(function, nodes), kind))
            }
        }
    }
}

fn not(node: Node) -> Typed {
    (Node::Not(Box::new(node)), Kind::Truth)
}

fn negate(typed: Typed, negated: bool) -> Typed {
    if negated { not(typed.0) } else { typed }
}
