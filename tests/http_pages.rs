//! Home pages, filters, cursors, experiments and live rows against a real engine on the embedded backend.

#[path = "http_pages/events.rs"]
mod events;
#[path = "http_pages/experiments.rs"]
mod experiments;
#[path = "http_pages/filters.rs"]
mod filters;
#[path = "http_pages/home.rs"]
mod home;
#[path = "http_pages/live.rs"]
mod live;
#[path = "http_pages/paging.rs"]
mod paging;
#[path = "http_pages/positions.rs"]
mod positions;
#[path = "http_service/running.rs"]
mod running;
