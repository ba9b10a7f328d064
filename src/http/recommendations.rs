//! `GET /v1/members/{id}/recommendations`: what a member is offered next.

use super::asked::{Asked, SHARED};
use super::cursor::Route;
use super::filter::too_costly;
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::state::{self, ApiState, State, ok};
use actix_web::HttpRequest;
use nearline_actors::{Answer, NotAnswered, NotReached};
use nearline_api::recommendations::{RankedTitle, RecommendationsAnswer, VariantDocument};
use nearline_ranking::offer::OfferedTitle;
use std::time::Instant;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/members/{id}/recommendations", tag = "members", operation_id = "recommend",
    summary = "What a member is offered next",
    params(
        ("id" = String, Path, description = "The member"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2: only titles available there"),
        ("device" = Option<String>, Query, description = "Device"),
        ("exclude" = Option<String>, Query, description = "Titles not wanted: ids separated by commas; may be repeated"),
        ("explain" = Option<bool>, Query, description = "Whether reasons are wanted"),
        ("after" = Option<u64>, Query, description = "Position that publishing an event of this member gave: the answer is at least that new"),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before: no title of the session is given again"),
    ),
    responses(
        (status = 200, description = "Titles, best first", body = RecommendationsAnswer),
        (status = 400, description = "The id or a parameter is not valid, or the log has no such position for this member", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not as new as `after` yet", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn recommend(request: HttpRequest, state: State) -> state::Answer {
    ok(&answer(&request, &state).await?)
}

/// The recommendations that `request` asks for.
pub(super) async fn answer(
    request: &HttpRequest,
    state: &ApiState,
) -> Result<RecommendationsAnswer, Problem> {
    let started = Instant::now();
    let member = path_id(request)?;
    let known = [SHARED.as_slice(), &["after", "cursor"]].concat();
    let parameters = Parameters::read(request, &known)?;
    let asked = Asked::read(&parameters, state, &member, Route::Recommendations)?;
    let answer = state.engine.recommend(&asked.question).await.map_err(not_answered)?;
    state.answered("recommendations", answer.source, started);
    let is_full = answer.offered.len() >= asked.question.limit;
    let given = answer.offered.iter().map(|title| &*title.title);
    let next = if is_full { asked.next(given, state) } else { None };
    Ok(RecommendationsAnswer { next, ..document(member, answer) })
}

/// The document of a row, without a cursor.
pub(super) fn document(member: String, answer: Answer<Vec<OfferedTitle>>) -> RecommendationsAnswer {
    RecommendationsAnswer {
        recommendation_id: answer.recommendation_id,
        member,
        source: answer.source.name().into(),
        position: answer.position.0,
        variant: answer.variant.map(VariantDocument::from),
        titles: answer.offered.into_iter().map(RankedTitle::from).collect(),
        next: None,
    }
}

/// The problem of a question that was not answered.
pub(super) fn not_answered(error: NotAnswered) -> Problem {
    match error {
        NotAnswered::NotReached(error) => not_reached(error),
        NotAnswered::BudgetSpent(error) => too_costly(error),
        NotAnswered::Overloaded { .. } => Problem::new(ProblemKind::TooManyQueries, error.to_string()),
    }
}

/// The problem of a position that was not reached.
pub(super) fn not_reached(error: NotReached) -> Problem {
    let kind = match error.log_end {
        Some(_) => ProblemKind::PositionUnknown,
        None => ProblemKind::PositionNotReached,
    };
    let problem = Problem::new(kind, error.to_string())
        .with("position", error.position.0)
        .with("wanted", error.wanted.0);
    match error.log_end {
        Some(end) => problem.with("log_end", end),
        None => problem,
    }
}
