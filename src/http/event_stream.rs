//! The head of an answer that is a stream of events, for good (Server-Sent Events).

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// 200, with what keeps caches and proxies from holding events back.
pub(super) fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-cache"))
        // Proxies that buffer answers would wait for more.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"));
    response
}
