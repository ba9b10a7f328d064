//! Routes whose queries have to be let in.

use super::admission::Query;
use super::state::State;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{ResponseError, Route};

/// A route whose queries have to be let in.
pub(super) fn admitted(route: Route, query: Query) -> Route {
    route.wrap(from_fn(move |request, next| let_in(query, request, next)))
}

async fn let_in(
    query: Query,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(state) = request.app_data::<State>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    match state.admission.admit(query) {
        Ok(admitted) => Ok(admitted.answer(next.call(request)).await?.map_into_boxed_body()),
        Err(problem) => {
            let problem = problem.at(request.path());
            Ok(request.into_response(problem.error_response()))
        }
    }
}
