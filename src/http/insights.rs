//! `GET /v1/titles/{id}/insights`: how a title does, by epoch and dimension.

use super::query::{Parameters, path_id};
use super::state::{Answer, State, ok};
use super::titles::unknown;
use actix_web::HttpRequest;
use nearline_api::insights::{DimensionDocument, InsightsAnswer};

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/titles/{id}/insights", tag = "titles", operation_id = "read_insights", summary = "How a title does",
    params(("id" = String, Path, description = "The title")),
    responses(
        (status = 200, description = "Counts by epoch and dimension", body = InsightsAnswer),
        (status = 400, description = "The id is not valid", body = super::problem::Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is known of the title", body = super::problem::Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    let Some(insights) = state.engine.insights(&id) else {
        return Err(unknown(&id, "is not in the catalogue, and nothing was counted of it"));
    };
    ok(&InsightsAnswer {
        name: state.engine.title(&id).and_then(|title| title.name.clone()),
        plays_ever: insights.plays_ever,
        totals: insights.totals.into(),
        dimensions: insights.dimensions.into_iter().map(DimensionDocument::from).collect(),
        title: id,
    })
}
