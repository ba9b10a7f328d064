//! `GET /v1/trending`: what is taken and played most right now.

use super::filter;
use super::query::Parameters;
use super::recommendations::not_answered;
use super::state::{Answer, State, ok};
use actix_web::HttpRequest;
use nearline_actors::TrendQuestion;
use nearline_api::trending::TrendingAnswer;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/trending", tag = "titles", operation_id = "list_trending", summary = "What is taken and played most right now",
    params(
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2"),
        ("device" = Option<String>, Query, description = "Device"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
    ),
    responses(
        (status = 200, description = "Titles, best first, with the parts of their scores", body = TrendingAnswer),
        (status = 400, description = "A parameter is not valid", body = super::problem::Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; or the node is behind; see Retry-After", body = super::problem::Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn list(request: HttpRequest, state: State) -> Answer {
    let known = ["country", "device", "limit", "filter", "boost", "max_maturity"];
    let parameters = Parameters::read(&request, &known)?;
    let limits = &state.config.http;
    let question = TrendQuestion {
        limit: parameters.limit(limits.default_limit, limits.max_limit)?,
        country: parameters.country()?.map(str::to_owned),
        device: parameters.device()?.map(str::to_owned),
        expressions: filter::read(&parameters, &state.programs)?,
    };
    ok(&TrendingAnswer::from(state.engine.trending(&question).await.map_err(not_answered)?))
}
