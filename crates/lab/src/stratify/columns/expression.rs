//! A key as a SQL expression over the columns of one row: standard SQL, parsed by `sqlparser`, with the few functions
//! that cut data into strata. Types are checked before any row is read.
//!
//! A value that is missing is null, comparisons and logic have three values, as the standard has it. `/` divides with
//! a fraction and gives null by zero, as in DuckDB and Spark. Times are in UTC.

mod calendar;
mod check;
mod evaluate;
mod functions;
mod node;
mod typed;

use anyhow::{Context, bail};
use arrow_array::RecordBatch;
use arrow_schema::Schema;
use sqlparser::ast::{Expr, visit_expressions_mut};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use node::{Kind, Node};

/// An expression that gives a level for each row.
#[derive(Debug)]
pub(in super::super) struct Expression {
    node: Node,
    /// The columns that it reads, by place.
    columns: Vec<Column>,
    is_date: bool,
    is_cast: bool,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: Kind,
}

impl Expression {
    /// Reads the expression of the key `key` over columns of this schema.
    ///
    /// # Errors
    /// Text that is no expression, columns that are not there, functions that are not known, types that do not fit, and
    /// values that are no levels: numbers with a fraction, moments.
    pub fn new(key: &str, sql: &str, schema: &Schema) -> anyhow::Result<Self> {
        Self::parse(sql, schema).with_context(|| format!("the key `{key}`, `{sql}`"))
    }

    fn parse(sql: &str, schema: &Schema) -> anyhow::Result<Self> {
        let parsed = parsed(sql)?;
        let mut check = check::Check::new(schema);
        let (node, kind) = check.node(&parsed)?;
        match kind {
            Kind::Number => bail!(
                "it gives numbers with a fraction, which are no levels; CAST(floor(…) AS INTEGER), or compare them"
            ),
            Kind::Time => bail!("it gives moments, which are no levels; EXTRACT a part, or CAST it AS DATE"),
            Kind::Null => bail!("it is null for every row"),
            Kind::Truth | Kind::Integer | Kind::Text | Kind::Date => {}
        }
        Ok(Self {
            node,
            columns: check.columns,
            is_date: kind == Kind::Date,
            is_cast: matches!(parsed, Expr::Cast { .. }),
        })
    }

    /// Whether it ends with a cast.
    pub fn is_cast(&self) -> bool {
        self.is_cast
    }

    /// Whether its levels are days.
    pub fn is_date(&self) -> bool {
        self.is_date
    }

    /// The columns that it reads.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Calls `with` for each row of a batch, with its level; none is a value that is missing.
    ///
    /// # Errors
    /// Columns that were not read, and whole numbers beyond 64 bits.
    pub fn levels(&self, batch: &RecordBatch, with: impl FnMut(usize, Option<&str>)) -> anyhow::Result<()> {
        evaluate::levels(&self.node, &self.columns, batch, with)
    }
}

/// Bytes of an expression; what is longer is a table to join.
const LONGEST: usize = 8192;

fn parsed(sql: &str) -> anyhow::Result<Expr> {
    if sql.len() > LONGEST {
        bail!("it has {} bytes, {LONGEST} may be", sql.len());
    }
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql)?;
    let parsed = parser.parse_expr()?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        bail!("it should end before `{next}`");
    }
    Ok(parsed)
}

/// The expression with the names of columns between quotes, as the columns of a schema are written where there is one:
/// what is a column here may be a word of the language elsewhere.
///
/// # Errors
/// Text that is no expression.
pub(in super::super) fn quoted(
    key: &str,
    sql: &str,
    schema: Option<&Schema>,
    quote: char,
) -> anyhow::Result<String> {
    let mut parsed = parsed(sql).with_context(|| format!("the key `{key}`, `{sql}`"))?;
    let _: std::ops::ControlFlow<()> = visit_expressions_mut(&mut parsed, |part| {
        if let Expr::Identifier(name) = part {
            if let Some(field) = schema.and_then(|schema| typed::field(schema, name)) {
                name.value.clone_from(field.name());
            }
            name.quote_style = Some(quote);
        }
        std::ops::ControlFlow::Continue(())
    });
    Ok(parsed.to_string())
}

#[cfg(test)]
mod tests;
