//! Load shedding: more queries at once than the limit are turned away at the door, while those that are
//! in are answered in time. Without it all of them would be late.

use super::problem::{Problem, ProblemKind};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The door.
#[derive(Debug)]
pub struct Admission {
    limit: usize,
    free: Semaphore,
}

impl Admission {
    /// Lets `limit` queries in at once.
    pub fn new(limit: usize) -> Self {
        Self { limit, free: Semaphore::new(limit) }
    }

    /// Lets a query in, until the permit is dropped.
    ///
    /// # Errors
    /// 429 with `Retry-After` if too many are in.
    pub fn admit(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.free.try_acquire().map_err(|_| {
            metrics::counter!("nearline_queries_shed_total").increment(1);
            let detail = format!(
                "{} queries are under way, as many as `http.max_queries_under_way` allows; try again in a \
                 moment, or another node",
                self.limit
            );
            Problem::new(ProblemKind::TooManyQueries, detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::ResponseError;

    #[test]
    fn a_query_beyond_the_limit_is_told_to_come_back_and_let_in_when_there_is_room() {
        let door = Admission::new(2);
        let first = door.admit().expect("room");
        let _second = door.admit().expect("room");
        let refused = door.admit().expect_err("full").error_response();
        assert_eq!(refused.status().as_u16(), 429);
        assert!(refused.headers().contains_key("retry-after"));
        drop(first);
        assert!(door.admit().is_ok());
    }
}
