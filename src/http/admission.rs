//! Load shedding: a query is let in as long as those that are in leave the serving threads time for it before its
//! deadline; the others are turned away at the door. Without it all of them would be late.
//!
//! What a query costs is learned by route: the time for which it keeps a serving thread busy, not the time that it waits
//! for others, so that a store that is away closes no door.

use super::problem::{Problem, ProblemKind};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What a query costs before one of its kind was answered, in nanoseconds.
const FIRST_GUESS_NS: u64 = 500_000;
/// Share of a new query in what its kind costs, 1 in so many.
const MEMORY: u64 = 16;
/// Share of the deadline, 1 in so many, for which the queries that are in may keep every thread busy.
const SHARE: u64 = 4;
/// Queries a thread that are let in whatever they cost.
const ALWAYS: usize = 2;

/// Kinds of queries that differ in what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Query {
    /// A member's state.
    Member,
    /// A row of titles.
    Row,
    /// A page of rows.
    Home,
    /// What is popular.
    Trending,
    /// What is like a title.
    Similar,
    /// Titles given, in their order.
    Order,
}

const QUERIES: usize = Query::Order as usize + 1;

/// The door.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    threads: usize,
    /// Time of all threads that queries which are in may take together, in nanoseconds.
    room_ns: u64,
    under_way: AtomicUsize,
    /// What those under way are expected to take.
    expected_ns: AtomicU64,
    costs_ns: [AtomicU64; QUERIES],
}

/// A query that is in, until it is dropped.
#[derive(Debug)]
pub struct Admitted<'a> {
    door: &'a Admission,
    query: Query,
    expected_ns: u64,
}

impl Admission {
    /// Lets `most` queries in at once at most, for `threads` that serve, with a deadline for each query.
    pub fn new(most: usize, threads: usize, deadline_ms: u64) -> Self {
        let room = Duration::from_millis(deadline_ms / SHARE) * threads.max(1) as u32;
        Self {
            most,
            threads: threads.max(1),
            room_ns: room.as_nanos() as u64,
            under_way: AtomicUsize::new(0),
            expected_ns: AtomicU64::new(0),
            costs_ns: std::array::from_fn(|_| AtomicU64::new(FIRST_GUESS_NS)),
        }
    }

    /// Lets a query in, until it is dropped.
    ///
    /// # Errors
    /// 429 with `Retry-After` if too many are in.
    pub fn admit(&self, query: Query) -> Result<Admitted<'_>, Problem> {
        let cost_ns = self.costs_ns[query as usize].load(Relaxed);
        let under_way = self.under_way.fetch_add(1, Relaxed) + 1;
        let expected_ns = self.expected_ns.fetch_add(cost_ns, Relaxed) + cost_ns;
        let admitted = Admitted { door: self, query, expected_ns: cost_ns };
        let is_too_much = expected_ns > self.room_ns && under_way > ALWAYS * self.threads;
        if under_way <= self.most && !is_too_much {
            return Ok(admitted);
        }
        metrics::counter!("nearline_queries_shed_total").increment(1);
        let others = under_way - 1;
        let detail = match under_way <= self.most {
            true => format!(
                "{others} queries are under way, as many as can be answered before their deadline; try again in a moment, \
                 or another node"
            ),
            false => format!(
                "{others} queries are under way, as many as `http.max_queries_under_way` allows; try again in a moment, or \
                 another node"
            ),
        };
        Err(Problem::new(ProblemKind::TooManyQueries, detail))
    }
}

impl Admitted<'_> {
    /// Answers the query, and learns what it cost: the time for which it kept the thread busy.
    pub async fn answer<T>(self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        let mut busy = Duration::ZERO;
        let answered = poll_fn(|context| {
            let began = Instant::now();
            let polled = answer.as_mut().poll(context);
            busy += began.elapsed();
            polled
        })
        .await;
        let cost_ns = &self.door.costs_ns[self.query as usize];
        let before = cost_ns.load(Relaxed);
        // Another thread may learn at the same moment: one of the two is forgotten, which does no harm.
        cost_ns.store(before - before / MEMORY + busy.as_nanos() as u64 / MEMORY, Relaxed);
        answered
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.door.expected_ns.fetch_sub(self.expected_ns, Relaxed);
        self.door.under_way.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError;

    const DEADLINE_MS: u64 = 400;

    #[test]
    fn a_query_beyond_the_limit_is_told_to_come_back_and_let_in_when_there_is_room() {
        let door = Admission::new(2, 1, DEADLINE_MS);
        let first = door.admit(Query::Row).expect("room");
        let _second = door.admit(Query::Row).expect("room");
        let refused = door.admit(Query::Row).expect_err("full").error_response();
        assert_eq!(refused.status().as_u16(), 429);
        assert!(refused.headers().contains_key("retry-after"));
        drop(first);
        assert!(door.admit(Query::Row).is_ok());
    }

    /// How many queries of a kind are let in at once.
    fn room_for(door: &Admission, query: Query) -> usize {
        let mut inside = Vec::new();
        while let Ok(admitted) = door.admit(query) {
            inside.push(admitted);
        }
        inside.len()
    }

    #[actix_web::test]
    async fn as_many_are_let_in_as_are_answered_in_time_given_what_each_costs() {
        let door = Admission::new(1_000, 2, DEADLINE_MS);
        // Two threads, 100 ms each, at half a millisecond a query.
        assert_eq!(room_for(&door, Query::Row), 400);
        for _ in 0..100 {
            let busy = async { std::thread::sleep(Duration::from_millis(4)) };
            door.admit(Query::Home).expect("room").answer(busy).await;
        }
        let pages = room_for(&door, Query::Home);
        assert!((2 * ALWAYS..=52).contains(&pages), "{pages} pages of 4 ms, or more on a busy machine");
        assert_eq!(room_for(&door, Query::Row), 400, "rows cost what they did");
        let page = door.admit(Query::Home).expect("room");
        assert!(room_for(&door, Query::Row) < 400, "one takes of the room of the other");
        drop(page);
        assert_eq!(room_for(&door, Query::Row), 400);
    }

    #[actix_web::test]
    async fn waiting_for_others_costs_nothing_and_the_first_are_let_in_whatever_they_cost() {
        let door = Admission::new(1_000, 1, DEADLINE_MS);
        for _ in 0..10 {
            let waits = tokio::time::sleep(Duration::from_millis(20));
            door.admit(Query::Row).expect("room").answer(waits).await;
        }
        assert!(room_for(&door, Query::Row) > 2 * 100 / 20, "more than if it took 20 ms");
        let slow = Admission::new(1_000, 1, 4);
        let busy = async { std::thread::sleep(Duration::from_millis(50)) };
        slow.admit(Query::Home).expect("room").answer(busy).await;
        assert_eq!(room_for(&slow, Query::Home), ALWAYS);
    }
}
