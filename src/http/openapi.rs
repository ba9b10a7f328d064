//! `GET /v1/openapi.json`: the API's description; on the operators' listener, `GET /admin/openapi.json`: that of their routes.
//!
//! What is served are the files `openapi/nearline.json` and `openapi/operators.json`. They are made from the handlers, with the
//! feature `openapi`, by the tests that hold them against these: making them costs every build half a minute of macros.

use super::query::Parameters;
use super::state::Answer;
use actix_web::http::header::ContentType;
use actix_web::{HttpRequest, HttpResponse};

/// The descriptions.
const OPERATORS: &str = include_str!("../../openapi/operators.json");
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

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/openapi.json", tag = "description", operation_id = "read_operators_description", summary = "This document",
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object),
        (status = 400, description = "A parameter is not known", body = super::problem::Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read_operators(request: HttpRequest) -> Answer {
    Parameters::read(&request, &[])?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(OPERATORS))
}
