//! `POST /v1/members/{id}/order`: titles that the caller has, in the order in which a member is likely to want them.

use super::asked::{Asked, MAX_NAMED};
use super::body::{self, BodyFormat};
use super::cursor::Route;
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::recommendations::not_answered;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, web};
use nearline_actors::Question;
use nearline_api::order::{OrderAnswer, OrderRequest};
use nearline_api::recommendations::{RankedTitle, VariantDocument};
use nearline_model::identifier::id_problem;
use std::time::Instant;

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/members/{id}/order", tag = "members", operation_id = "order",
    summary = "Titles that the caller has, in a member's order",
    params(
        ("id" = String, Path, description = "The member"),
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2: only titles available there"),
        ("device" = Option<String>, Query, description = "Device"),
        ("after" = Option<u64>, Query, description = "Position that publishing an event of this member gave: the answer is at least that new"),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's chance is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
    ),
    request_body(content = OrderRequest, content_type = "application/json"),
    responses(
        (status = 200, description = "The titles, best first", body = OrderAnswer),
        (status = 400, description = "The id, a parameter or the body is not valid, or the log has no such position for this member", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way, bodies take as much room as they may, or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not as new as `after` yet", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn order(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    let started = Instant::now();
    let member = path_id(&request)?;
    let known = ["country", "device", "after", "filter", "boost", "max_maturity"];
    let parameters = Parameters::read(&request, &known)?;
    let Asked { question, .. } = Asked::read(&parameters, &state, &member, Route::Recommendations)?;
    if BodyFormat::of(&request)? != BodyFormat::Json {
        let detail = "titles to put in order are one JSON object: application/json";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let body = body::read(&request, payload, &state).await?;
    let OrderRequest { titles } = body::object(&body)?;
    check(&titles)?;
    let question = Question { limit: titles.len(), ..question };
    let answer = state.engine.order(&question, titles).await.map_err(not_answered)?;
    state.answered("order", answer.source, started);
    let order = answer.offered;
    ok(&OrderAnswer {
        recommendation_id: answer.recommendation_id,
        member,
        source: answer.source.name().into(),
        position: answer.position.0,
        variant: answer.variant.map(VariantDocument::from),
        learned: order.learned,
        titles: order.titles.into_iter().map(RankedTitle::from).collect(),
        left_out: order.left_out.iter().map(|id| id.to_string()).collect(),
    })
}

fn check(titles: &[String]) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(ProblemKind::MalformedBody, detail));
    if titles.is_empty() || titles.len() > MAX_NAMED {
        return refuse(format!("`titles` has {} ids; expected 1 to {MAX_NAMED}", titles.len()));
    }
    match (0..).zip(titles).find_map(|(at, id): (usize, _)| Some((at, id_problem(id)?))) {
        Some((at, problem)) => refuse(format!("`titles[{at}]` {problem}")),
        None => Ok(()),
    }
}
