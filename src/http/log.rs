//! `GET /v1/log`: which log events are published to.

use super::query::Parameters;
use super::state::{Answer, State, ok};
use actix_web::HttpRequest;
use nearline_api::log::LogDocument;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/log", tag = "events", operation_id = "log", summary = "Which log events are published to",
    description = "For whoever remembers how far publishing came: in a log that was made anew, nothing is there.",
    responses(
        (status = 200, description = "The log", body = LogDocument),
        (status = 400, description = "A parameter is not known", body = super::problem::Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let log = &state.engine.ports().log;
    ok(&LogDocument { log: log.identity().to_owned(), partitions: log.partitions() })
}
