//! `GET /v1/openapi.json`: the API's description, generated from the handlers.

use super::problem::Problem;
use super::query::Parameters;
use super::state::{Answer, ok};
use super::{events, experiments, home, insights, live, members, recommendations, titles, trending};
use actix_web::HttpRequest;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Nearline",
        description = "Near-real-time recommendations: what a member just watched shapes the very next page.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "events", description = "Publish what members see and play"),
        (name = "members", description = "Recommendations and state of a member"),
        (name = "titles", description = "The catalogue and what is known of titles"),
        (name = "experiments", description = "Variants of the ranking and how they do"),
        (name = "description", description = "This document"),
    ),
    paths(
        events::publish,
        recommendations::recommend,
        live::follow,
        home::page,
        members::read,
        members::erase,
        trending::list,
        titles::put,
        titles::read,
        titles::put_many,
        titles::similar_to,
        insights::read,
        experiments::list,
        experiments::read,
        read,
    ),
    components(schemas(Problem))
)]
struct Document;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "description", operation_id = "openapi", summary = "This document",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object))
)]
pub(super) async fn read(request: HttpRequest) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&document())
}
