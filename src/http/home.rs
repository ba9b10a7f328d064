//! `GET /v1/members/{id}/home`: a page of rows, no title twice.

use super::asked::{Asked, SHARED};
use super::cursor::Route;
use super::query::{Parameters, path_id};
use super::recommendations::not_answered;
use super::state::{Answer, State, ok};
use actix_web::HttpRequest;
use nearline_api::home::{HomeAnswer, RowDocument};
use nearline_api::recommendations::VariantDocument;
use nearline_ranking::page::MAX_ROWS;
use std::time::Instant;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/members/{id}/home", tag = "members", operation_id = "read_home", summary = "A member's home page",
    description = "Rows of titles, no title twice. Rows with too few titles are left out.",
    params(
        ("id" = String, Path, description = "The member"),
        ("limit" = Option<usize>, Query, description = "Titles of a row at most (default 20)", minimum = 1),
        ("rows" = Option<usize>, Query, description = "Rows at most (default: all)", minimum = 1),
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
        (status = 200, description = "Rows, the one most likely taken from first", body = HomeAnswer),
        (status = 400, description = "The id or a parameter is not valid, or the log has no such position for this member", body = super::problem::Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; or the node is behind; see Retry-After", body = super::problem::Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not as new as `after` yet", body = super::problem::Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn page(request: HttpRequest, state: State) -> Answer {
    let started = Instant::now();
    let member = path_id(&request)?;
    let known = [SHARED.as_slice(), &["after", "cursor", "rows"]].concat();
    let parameters = Parameters::read(&request, &known)?;
    let most_rows = parameters.number("rows", 1, MAX_ROWS)?.unwrap_or(MAX_ROWS);
    let asked = Asked::read(&parameters, &state, &member, Route::Home)?;
    let answer = state.engine.page(&asked.question, most_rows).await.map_err(not_answered)?;
    state.answered("home", answer.source, started);
    let given = answer.offered.iter().flat_map(|row| &row.titles).map(|title| &*title.title);
    let next = asked.next(given, &state);
    ok(&HomeAnswer {
        recommendation_id: answer.recommendation_id,
        member,
        source: answer.source.name().into(),
        position: answer.position.0,
        variant: answer.variant.map(VariantDocument::from),
        rows: answer.offered.into_iter().map(RowDocument::from).collect(),
        next,
    })
}
