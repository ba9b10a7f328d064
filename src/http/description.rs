//! The API's descriptions as the handlers have them: what `openapi/nearline.json` and `openapi/operators.json` are made of, and
//! held against.

mod operators;
mod stream;
mod strict;

use serde_json::Value;
use strict::Strict;
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
        super::events::publish,
        super::log::read,
        super::recommendations::recommend,
        super::order::order,
        super::live::follow,
        super::home::page,
        super::members::read,
        super::members::erase,
        super::trending::list,
        super::titles::put,
        super::titles::read,
        super::titles::patch,
        super::titles::withdraw,
        super::titles::put_many,
        super::titles::similar_to,
        super::insights::read,
        super::experiments::list,
        super::experiments::read,
        super::openapi::read,
    ),
    components(schemas(super::problem::Problem))
)]
struct Document;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The document of the operators' listener.
pub fn operators_document() -> utoipa::openapi::OpenApi {
    operators::document()
}

/// JSON Schema (2020-12) of an event.
pub fn event_schema() -> Value {
    stream::event_schema(&schemas()["EventDocument"])
}

/// AsyncAPI 3 document of the stream that publishers send to.
pub fn stream_document() -> Value {
    stream::stream_document(&schemas())
}

/// The documents of HTTP, by name.
fn schemas() -> Value {
    let mut document = serde_json::to_value(document()).expect("a document is JSON");
    document["components"]["schemas"].take()
}
