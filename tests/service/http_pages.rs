//! Home pages, filters, cursors, experiments and live rows against a real engine on the embedded backend.

mod events;
mod experiments;
mod filters;
mod home;
mod live;
mod paging;
mod positions;
