//! How late a serving thread is: what it has to do before it comes to a request. A thread that is too late refuses at
//! once, which costs it next to nothing, so that whoever it does answer is answered in time.

use super::problem::{Problem, ProblemKind};
use actix_web::ResponseError;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Time between two turns of the task that tells how late the thread is.
const TURN: Duration = Duration::from_millis(5);
/// Turns without a request after which the task rests: a node that is asked nothing need not wake up hundreds of times a second.
const QUIET_TURNS: u32 = 200;
/// Share of the deadline of queries, 1 in so many, that a thread may be late before it refuses.
const SHARE: u64 = 4;

thread_local! {
    /// What tells how late this thread is; empty: the task does not run here.
    static WATCH: OnceCell<Rc<Watch>> = const { OnceCell::new() };
}

/// How late one thread is.
struct Watch {
    /// How late it may be.
    most: Duration,
    /// When the task had its last turn; `None`: it rests.
    turn: Cell<Option<Instant>>,
    /// Whether a request came since.
    is_asked: Cell<bool>,
    /// Ends its rest.
    wake: Notify,
}

impl Watch {
    async fn run(&self) {
        loop {
            let mut quiet = 0;
            while quiet < QUIET_TURNS {
                self.turn.set(Some(Instant::now()));
                tokio::time::sleep(TURN).await;
                quiet = if self.is_asked.take() { 0 } else { quiet + 1 };
            }
            self.turn.set(None);
            self.wake.notified().await;
        }
    }

    /// A request has come: how late the thread is, if it is too late. While the task rests nobody has waited, and it begins anew.
    fn too_late(&self) -> Option<Duration> {
        self.is_asked.set(true);
        let Some(turn) = self.turn.get() else {
            self.turn.set(Some(Instant::now()));
            self.wake.notify_one();
            return None;
        };
        let late = turn.elapsed().saturating_sub(TURN);
        (late > self.most).then_some(late)
    }
}

/// Begins to tell on this thread, which may be late by a share of the deadline of queries.
pub(super) fn watch(deadline_ms: u64) {
    WATCH.with(|watch| {
        watch.get_or_init(|| {
            let most = Duration::from_millis(deadline_ms / SHARE);
            let turn = Cell::new(Some(Instant::now()));
            let watch = Rc::new(Watch { most, turn, is_asked: Cell::default(), wake: Notify::new() });
            let running = watch.clone();
            actix_rt::spawn(async move { running.run().await });
            watch
        });
    });
}

/// How late this thread is, if it is too late, for a request that has come.
fn too_late() -> Option<Duration> {
    WATCH.with(|watch| watch.get()?.too_late())
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

    /// One that rests is not late for having rested, and tells how late it is as soon as it was asked something.
    #[actix_web::test]
    async fn a_thread_that_is_asked_nothing_rests_and_tells_again_once_it_is_asked() {
        watch(80);
        let is_resting = || WATCH.with(|watch| watch.get().is_some_and(|watch| watch.turn.get().is_none()));
        let begun = Instant::now();
        while !is_resting() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never rests");
            tokio::time::sleep(TURN).await;
        }
        std::thread::sleep(Duration::from_millis(60));
        assert!(too_late().is_none(), "nobody waited");
        assert!(!is_resting(), "it was asked");
        std::thread::sleep(Duration::from_millis(60));
        assert!(too_late().is_some(), "whoever came now has waited");
    }
}
