//! Answers made from folded events: rows, pages and trends, and the bounded search beside a plain one.

#[path = "answers/any_order.rs"]
mod any_order;
#[path = "answers/exploration.rs"]
mod exploration;
#[path = "../../model/tests/fold/harness.rs"]
#[allow(dead_code, reason = "the fold's own tests use more of it")]
mod harness;
#[path = "answers/page.rs"]
mod page;
#[path = "answers/pieces.rs"]
mod pieces;
#[path = "answers/repeats.rs"]
mod repeats;
#[path = "answers/row.rs"]
mod row;
#[path = "answers/row_reference.rs"]
mod row_reference;
#[path = "answers/row_search.rs"]
mod row_search;
#[path = "answers/taste.rs"]
mod taste;
#[path = "answers/trending.rs"]
mod trending;
#[path = "answers/tuning.rs"]
mod tuning;
