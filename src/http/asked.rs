//! What a caller asks of a row or a page: the parameters that recommendations, the home page and live
//! rows share.

use super::cursor::{Route, Session};
use super::filter;
use super::problem::Problem;
use super::query::Parameters;
use super::state::ApiState;
use nearline_actors::{Given, Question};
use std::sync::Arc;

/// Titles that one request may name: to exclude, or to put in order.
pub(super) const MAX_NAMED: usize = 1_000;

/// Parameters that every one of those routes takes.
pub const SHARED: [&str; 8] =
    ["limit", "country", "device", "exclude", "explain", "filter", "boost", "max_maturity"];

/// What a caller asks for.
pub struct Asked {
    /// What the engine is asked.
    pub question: Question,
    session: Arc<Session>,
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
        let session = Arc::new(match parameters.raw("cursor") {
            None => Session::start(member, route),
            Some(text) => Session::resume(text, member, route, state.now_s(), limits)?,
        });
        let given = (!session.is_new()).then(|| {
            let session = session.clone();
            Arc::new(move |title: &str| session.gave(title)) as Given
        });
        let question = Question {
            member: member.to_owned(),
            limit: parameters.limit(limits.default_limit, limits.max_limit)?,
            country: parameters.country()?.map(str::to_owned),
            device: parameters.device()?.map(str::to_owned),
            exclude: parameters.exclude(MAX_NAMED)?,
            explain: parameters.explain()?,
            after: parameters.after()?,
            expressions: filter::read(parameters, &state.programs)?,
            given,
        };
        Ok(Self { question, session })
    }

    /// The cursor of the page after one that gave `titles`.
    pub fn next<'t>(&self, titles: impl Iterator<Item = &'t str>, state: &ApiState) -> Option<String> {
        Session::clone(&self.session).next(titles, state.now_s(), &state.config.http)
    }
}
