//! `GET /v1/openapi.json`: the API's description.
//!
//! What is served is the file `openapi/nearline.json`. It is made from the handlers, with the feature `openapi`, by the
//! test that holds it against them: making it costs every build half a minute of macros.

use super::query::Parameters;
use super::state::Answer;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse};

/// The description.
const OPENAPI: &str = include_str!("../../openapi/nearline.json");

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/openapi.json", tag = "description", operation_id = "read_description", summary = "This document",
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object),
        (status = 400, description = "A parameter is not known", body = super::problem::Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read(request: HttpRequest) -> Answer {
    Parameters::read(&request, &[])?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(OPENAPI))
}
