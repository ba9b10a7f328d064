//! A solved plan as plain SQL, for data that does not fit one machine: the same rows, wherever it runs.
//!
//! A stratum's sample is every row whose hash is at most the stratum's threshold. Where no thresholds are known yet,
//! quotas take their place: then only counts have travelled.

mod dialect;

use std::fmt::Write as _;

pub use dialect::Dialect;

use crate::rules::{EntityRule, KeySource, Rules};
use crate::{Census, Plan, StratifyError};

/// How a stratum is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cuts<'a> {
    /// At the largest hash that is taken, per stratum of the plan; none takes none.
    Thresholds(&'a [Option<u64>]),
    /// After as many rows as the plan takes.
    Quotas,
}

/// The statement that counts the rows that may be taken per stratum; a plan needs no more of the data.
///
/// Its columns are the keys, as text, and `rows_in`.
///
/// # Errors
/// Rules that SQL does not express: entities kept whole, caps by flow.
pub fn counts(rules: &Rules, dialect: Dialect, table: &str) -> Result<String, StratifyError> {
    let (tables, from) = eligible(rules, dialect, table)?;
    let pairs = rules.strata.iter().map(|key| (dialect.name(&format!("s_{key}")), dialect.name(key)));
    let (columns, named): (Vec<String>, Vec<String>) =
        pairs.map(|(from, to)| (from.clone(), format!("{from} AS {to}"))).unzip();
    let group = if columns.is_empty() { String::new() } else { format!("\nGROUP BY {}", columns.join(", ")) };
    let listed = named.iter().map(|name| format!("{name}, ")).collect::<String>();
    Ok(format!("WITH {tables}\nSELECT {listed}count(*) AS rows_in\nFROM {from}{group}\n"))
}

/// The rows that may be taken, with hashes and levels, as named tables; and the last one's name.
fn eligible(rules: &Rules, dialect: Dialect, table: &str) -> Result<(String, &'static str), StratifyError> {
    let entity = rules.entity();
    if entity.is_some_and(EntityRule::decides_rows) {
        return Err(StratifyError::rule(
            "entities",
            "only thinning can be said in SQL, not `whole` or `method = \"flow\"`",
        ));
    }
    if rules.balance().is_some() {
        return Err(StratifyError::rule(
            "balance",
            "balanced totals cannot be said in SQL: no threshold selects them",
        ));
    }
    let hash = dialect.hash(rules.seed, &dialect.name(&rules.id));
    let keys = rules
        .strata
        .iter()
        .map(|key| format!(", {} AS {}", key_sql(rules, dialect, key), dialect.name(&format!("s_{key}"))));
    let mut sql = format!(
        "hashed AS (\n  SELECT t.*, {hash} AS s_hash{}\n  FROM {table} AS t\n)",
        keys.collect::<String>()
    );
    let Some(entity) = entity else { return Ok((sql, "hashed")) };
    let column = dialect.name(&entity.column);
    let _ = write!(
        sql,
        ",\nnumbered AS (\n  SELECT h.*, row_number() OVER (PARTITION BY {column} ORDER BY s_hash) AS s_place,\n    \
         count(*) OVER (PARTITION BY {column}) AS s_rows\n  FROM hashed AS h\n  WHERE {column} IS NOT NULL\n),\n\
         thinned AS (\n  SELECT * FROM numbered\n  WHERE s_place <= {} AND s_rows >= {}\n)",
        entity.at_most.unwrap_or(u32::MAX),
        entity.at_least.unwrap_or(0),
    );
    Ok((sql, "thinned"))
}

/// The statement that selects the rows of a plan.
///
/// # Errors
/// Rules that no threshold expresses: entities kept whole, caps by flow, SQL keys of another dialect are not checked.
pub fn selection(
    rules: &Rules,
    census: &Census,
    plan: &Plan,
    cuts: Cuts<'_>,
    dialect: Dialect,
    table: &str,
) -> Result<String, StratifyError> {
    let (tables, from) = eligible(rules, dialect, table)?;
    let names: Vec<String> = rules.strata.iter().map(|key| dialect.name(&format!("s_{key}"))).collect();
    let cut_rows = values(census, plan, cuts, dialect, &names);
    let mut sql = format!("WITH cuts AS (\n  SELECT * FROM {cut_rows}\n),\n{tables}");
    let same: Vec<String> = names.iter().map(|name| format!("r.{name} = cuts.{name}")).collect();
    let same = if same.is_empty() { "TRUE".to_owned() } else { same.join(" AND ") };
    match cuts {
        Cuts::Thresholds(_) => {
            let _ = write!(
                sql,
                "\nSELECT r.* FROM {from} AS r JOIN cuts ON {same}\nWHERE r.s_hash <= cuts.s_cut\n"
            );
        }
        Cuts::Quotas => {
            // The plan's stratum, not the levels: rare strata may have been merged.
            let _ = write!(
                sql,
                ",\nranked AS (\n  SELECT r.*, cuts.s_cut, row_number() OVER (PARTITION BY cuts.s_stratum ORDER BY r.s_hash) AS s_rank\n  \
                 FROM {from} AS r JOIN cuts ON {same}\n)\nSELECT * FROM ranked WHERE s_rank <= s_cut\n"
            );
        }
    }
    Ok(sql)
}

/// The strata of the data with their cuts, as rows of a table.
fn values(census: &Census, plan: &Plan, cuts: Cuts<'_>, dialect: Dialect, names: &[String]) -> String {
    let mut rows = Vec::new();
    for stratum in 0..census.len() {
        let Some(planned) = plan.stratum_of[stratum] else { continue };
        let cut = match cuts {
            Cuts::Thresholds(thresholds) => match thresholds[planned] {
                Some(hash) => dialect.text(&format!("{hash:016x}")),
                None => continue,
            },
            Cuts::Quotas => plan.strata[planned].take.to_string(),
        };
        let mut row: Vec<String> = census.names(stratum).iter().map(|level| dialect.text(level)).collect();
        row.extend([planned.to_string(), cut]);
        rows.push(row);
    }
    let mut columns = names.to_vec();
    columns.extend(["s_stratum".to_owned(), "s_cut".to_owned()]);
    dialect.values(&columns, &rows)
}

/// A key's level as text.
fn key_sql(rules: &Rules, dialect: Dialect, key: &str) -> String {
    let plain = KeySource { column: None, bins: Vec::new(), date: None, sql: None };
    let source = rules.keys.get(key).unwrap_or(&plain);
    let column = dialect.name(source.column.as_deref().unwrap_or(key));
    let level = if let Some(sql) = &source.sql {
        dialect.as_text(&format!("({sql})"))
    } else if let Some(part) = source.date {
        dialect.date_part(part, &column)
    } else if source.bins.is_empty() {
        dialect.as_text(&column)
    } else {
        // What is no number is in no bin.
        let mut cases = format!("CASE WHEN {column} IS NULL OR {} THEN NULL", dialect.is_no_number(&column));
        for (above, bound) in source.bins.iter().enumerate() {
            let _ = write!(
                cases,
                " WHEN {column} < {bound} THEN {}",
                dialect.text(&crate::bin_name(&source.bins, above))
            );
        }
        let last = crate::bin_name(&source.bins, source.bins.len());
        let _ = write!(cases, " ELSE {} END", dialect.text(&last));
        cases
    };
    format!("coalesce({level}, {})", dialect.text(crate::NULL_LEVEL))
}
