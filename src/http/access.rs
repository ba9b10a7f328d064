//! Around every request: counts it, and names the path in problem documents.

use super::problem::Problem;
use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

/// Counts a request by route and status, and completes its problem document.
pub(super) async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let response = next.call(request).await?.map_into_boxed_body();
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>()).cloned();
    let response = match problem {
        Some(problem) => {
            let (request, _) = response.into_parts();
            let problem = problem.at(request.path());
            ServiceResponse::new(request, problem.error_response())
        }
        None => response,
    };
    let status = response.status().as_str().to_owned();
    metrics::counter!("nearline_http_requests_total", "route" => route, "status" => status).increment(1);
    Ok(response)
}
