//! How late a serving thread is: what it has to do before it comes to a request. A thread that is too late refuses at
//! once, which costs it next to nothing, so that whoever it does answer is answered in time.

use super::problem::{Problem, ProblemKind};
use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Time between two turns of the task that tells how late the thread is.
const TURN: Duration = Duration::from_millis(5);
/// Share of the deadline of queries, 1 in so many, that a thread may be late before it refuses.
const SHARE: u64 = 4;

thread_local! {
    /// When the task had its last turn, and how late the thread may be; `None`: the task does not run here.
    static WATCHED: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// Begins to tell on this thread, which may be late by a share of the deadline of queries.
pub(super) fn watch(deadline_ms: u64) {
    let most = Duration::from_millis(deadline_ms / SHARE);
    if WATCHED.replace(Some((Instant::now(), most))).is_some() {
        return;
    }
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(TURN).await;
            WATCHED.set(Some((Instant::now(), most)));
        }
    });
}

/// How late this thread is, if it is too late.
fn too_late() -> Option<Duration> {
    let (last, most) = WATCHED.get()?;
    let late = last.elapsed().saturating_sub(TURN);
    (late > most).then_some(late)
}

/// Refuses a request that comes to a thread that is too late.
pub(super) async fn shed(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(late) = too_late() else { return Ok(next.call(request).await?.map_into_boxed_body()) };
    metrics::counter!("nearline_queries_shed_total").increment(1);
    let detail = format!(
        "this node is {} ms behind with its answers; try again in a moment, or another node",
        late.as_millis()
    );
    let problem = Problem::new(ProblemKind::Behind, detail).at(request.path());
    Ok(request.into_response(problem.error_response()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, web};

    #[actix_web::test]
    async fn whoever_comes_behind_a_long_answer_is_told_at_once_and_the_next_one_is_answered() {
        watch(80);
        let long = || async {
            std::thread::sleep(Duration::from_millis(60));
            "late"
        };
        let app = App::new().wrap(from_fn(shed)).route("/long", web::get().to(long));
        let app = init_service(app.route("/short", web::get().to(|| async { "soon" }))).await;
        let ask = |path: &str| call_service(&app, TestRequest::get().uri(path).to_request());
        let (long, refused) = futures_util::future::join(ask("/long"), ask("/short")).await;
        assert_eq!((long.status().as_u16(), refused.status().as_u16()), (200, 429));
        assert!(refused.headers().contains_key("retry-after"));
        let begun = Instant::now();
        while too_late().is_some() {
            assert!(begun.elapsed() < Duration::from_secs(30), "still late");
            tokio::time::sleep(TURN).await;
        }
        assert_eq!(ask("/short").await.status().as_u16(), 200);
    }
}
