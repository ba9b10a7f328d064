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

#[cfg(feature = "openapi")]
mod strict;

#[cfg(feature = "openapi")]
pub use made::document;

/// The description as the handlers have it.
#[cfg(feature = "openapi")]
mod made {
    use super::strict::Strict;
    use utoipa::OpenApi;

    #[derive(OpenApi)]
    #[openapi(
        modifiers(&Strict),
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
            super::super::events::publish,
            super::super::log::read,
            super::super::recommendations::recommend,
            super::super::live::follow,
            super::super::home::page,
            super::super::members::read,
            super::super::members::erase,
            super::super::trending::list,
            super::super::titles::put,
            super::super::titles::read,
            super::super::titles::patch,
            super::super::titles::withdraw,
            super::super::titles::put_many,
            super::super::titles::similar_to,
            super::super::insights::read,
            super::super::experiments::list,
            super::super::experiments::read,
            super::read,
        ),
        components(schemas(super::super::problem::Problem))
    )]
    struct Document;

    /// The document.
    pub fn document() -> utoipa::openapi::OpenApi {
        Document::openapi()
    }
}
