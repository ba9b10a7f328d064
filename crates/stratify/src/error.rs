//! What can be wrong with rules, rows or the two together.

/// An error of rules or rows. An infeasible set of rules is no error but an [`Outcome`](crate::Outcome).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum StratifyError {
    /// The text of the rules is not TOML of the expected shape.
    #[error("the rules cannot be read: {0}")]
    Parse(String),
    /// One rule is wrong in itself.
    #[error("rule `{rule}`: {reason}")]
    Rule {
        /// The rule's name.
        rule: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A rule names a key that is not among the strata's keys.
    #[error("rule `{rule}` names the key `{key}`, which is not among the strata's keys ({known})")]
    UnknownKey {
        /// The rule's name.
        rule: String,
        /// The key it names.
        key: String,
        /// The keys there are.
        known: String,
    },
    /// A target names a level that the data does not have.
    #[error(
        "rule `{rule}` wants the level `{level}` of `{key}`, which the data does not have; \
         drop it, or set `unknown = \"merge\"` or `unknown = \"renormalise\"`"
    )]
    UnknownLevel {
        /// The rule's name.
        rule: String,
        /// The key, or the keys joined with `|`.
        key: String,
        /// The level, or the levels joined with `|`.
        level: String,
    },
    /// The data has a level that a target of shares does not name.
    #[error(
        "rule `{rule}` gives no share to the level `{level}` of `{key}`; \
         give it one, or set `rest = \"none\"` or `rest = \"natural\"`"
    )]
    UnnamedLevel {
        /// The rule's name.
        rule: String,
        /// The key, or the keys joined with `|`.
        key: String,
        /// The level, or the levels joined with `|`.
        level: String,
    },
    /// Shares that do not add up to one.
    #[error("rule `{rule}`: the shares add up to {sum}, not to 1")]
    Sum {
        /// The rule's name.
        rule: String,
        /// Their sum.
        sum: f64,
    },
    /// Margins whose totals differ: no table has both.
    #[error("the margins disagree: {first} adds up to {first_sum}, {second} to {second_sum}")]
    MarginsDisagree {
        /// The first margin.
        first: String,
        /// Its total.
        first_sum: f64,
        /// The second margin.
        second: String,
        /// Its total.
        second_sum: f64,
    },
    /// A row without an id: its place in the order of hashes would be arbitrary.
    #[error("{rows} rows have no id in `{column}`; every row needs one")]
    NullId {
        /// The column of ids.
        column: String,
        /// How many rows have none.
        rows: u64,
    },
    /// Rows without a number where totals are to be kept.
    #[error(
        "{rows} rows have no finite number in `{column}`, whose total the sample is to keep; leave them out or fill them"
    )]
    NoNumber {
        /// The column.
        column: String,
        /// How many rows have none.
        rows: u64,
    },
    /// Two rows with the same id: the sample would depend on their order.
    #[error("the id `{id}` in `{column}` occurs more than once; ids must be unique")]
    DuplicateId {
        /// The column of ids.
        column: String,
        /// One id that occurs twice.
        id: String,
    },
    /// Two different rows whose 64-bit hashes are equal just where a stratum is cut.
    #[error("two rows of the stratum {stratum} have the same hash where it is cut; take another seed")]
    Tie {
        /// The stratum's index.
        stratum: usize,
    },
    /// The rare strata that a rule refuses.
    #[error("rule `{rule}`: {count} strata have fewer than {below} rows, the first is {first}")]
    Rare {
        /// The rule's name.
        rule: String,
        /// How many strata are rare.
        count: usize,
        /// The limit.
        below: u64,
        /// The first of them.
        first: String,
    },
    /// An exact method that would be too large.
    #[error("{what} would need {needed} {unit}, the limit is {limit}; {instead}")]
    TooLarge {
        /// What was asked for.
        what: &'static str,
        /// How much it needs.
        needed: u64,
        /// Of what.
        unit: &'static str,
        /// What is allowed.
        limit: u64,
        /// What to do instead.
        instead: &'static str,
    },
    /// The linear-programming solver gave up.
    #[error("the linear programme could not be solved: {0}")]
    Solver(String),
    /// There is nothing to sample from.
    #[error("there are no rows")]
    Empty,
}

impl StratifyError {
    pub(crate) fn rule(rule: &str, reason: impl Into<String>) -> Self {
        Self::Rule { rule: rule.to_owned(), reason: reason.into() }
    }
}
