//! What a caller asks of a row or a page: the parameters that recommendations, the home page and live
//! rows share.

use super::cursor::{Route, Session};
use super::filter::{Expressions, Gate};
use super::problem::Problem;
use super::query::Parameters;
use super::state::ApiState;
use crate::experiments::Allocation;
use nearline_model::MemberSnapshot;
use nearline_model::catalogue::Catalogue;
use nearline_model::expression::Context;
use nearline_model::ranking::Query;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most ids in `exclude`.
const MAX_EXCLUDED: usize = 1_000;

/// Parameters that every one of those routes takes.
pub const SHARED: [&str; 8] =
    ["limit", "country", "device", "exclude", "explain", "filter", "boost", "max_maturity"];

/// What a caller asks for.
pub struct Asked {
    /// Titles of a row at most.
    pub limit: usize,
    /// Country.
    pub country: Option<String>,
    /// Device.
    pub device: Option<String>,
    /// Titles not wanted.
    pub exclude: Vec<String>,
    /// Whether reasons are wanted.
    pub explain: bool,
    /// Position that the answer must have reached.
    pub after: Option<u64>,
    /// Filter, boost and maturity limit.
    pub expressions: Expressions,
    /// What the pages before this one gave.
    pub session: Session,
}

impl Asked {
    /// Reads the parameters of `member`'s row or page on `route`.
    ///
    /// # Errors
    /// The first parameter that is not valid.
    pub fn read(
        parameters: &Parameters,
        state: &ApiState,
        member: &str,
        route: Route,
    ) -> Result<Self, Problem> {
        let limits = &state.config.http;
        Ok(Self {
            limit: parameters.limit(limits.default_limit, limits.max_limit)?,
            country: parameters.country()?.map(str::to_owned),
            device: parameters.device()?.map(str::to_owned),
            exclude: parameters.exclude(MAX_EXCLUDED)?,
            explain: parameters.explain()?,
            after: parameters.after()?,
            expressions: Expressions::read(parameters, &state.programs)?,
            session: match parameters.raw("cursor") {
                None => Session::start(member, route),
                Some(text) => Session::resume(text, member, route, now_s(), limits)?,
            },
        })
    }
}

impl Asked {
    /// Ranks by `make` with the query that is asked for; its hooks hold as long as `make` runs.
    ///
    /// # Errors
    /// If filter and boost took more steps than a request may.
    pub fn with_query<T>(
        &self,
        state: &ApiState,
        catalogue: &Catalogue,
        member: &str,
        snapshot: Option<&MemberSnapshot>,
        allocation: Option<&Allocation<'_>>,
        make: impl FnOnce(&Query<'_>) -> T,
    ) -> Result<T, Problem> {
        let (country, device) = (self.country.as_deref(), self.device.as_deref());
        let context = Context::new(country, device, hour_now(), member, snapshot);
        let gate = Gate::new(&self.expressions, catalogue, context, state.config.http.expression_steps);
        let admit = |id: &str| !self.session.gave(id) && gate.admits(id);
        let boost = |id: &str| gate.factor(id);
        let learned = state.engine.learned();
        let is_gated = self.expressions.has_filter() || !self.session.is_new();
        let query = Query {
            limit: self.limit,
            country,
            device,
            exclude: self.exclude.iter().map(String::as_str).collect(),
            explain: self.explain,
            admit: is_gated.then_some(&admit as &dyn Fn(&str) -> bool),
            boost: self.expressions.has_boost().then_some(&boost as &dyn Fn(&str) -> f64),
            settings: Some(allocation.map_or(&state.config.ranking, |allocation| allocation.settings)),
            learned: Some(&learned),
        };
        let made = make(&query);
        gate.finish()?;
        Ok(made)
    }
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The hour of the day, UTC.
pub fn hour_now() -> u8 {
    (now_s() / 3_600 % 24) as u8
}
