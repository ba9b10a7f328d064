//! The fact store: what was known about a member at any past moment.
//!
//! A fact says something about a member. It has two times: `event_at`, when it happened, and `known_at`, when the log had
//! it. [`Extraction`] gives each label the newest fact that was known when the label asks (I9): nothing that was written
//! later, about whatever time. It reads any Parquet files of `member, event_at, known_at, position` and further columns.
//!
//! What is deliberately absent: serving, and a second attribution.

pub mod columns;
mod compact;
pub mod delta;
mod error;
mod event_archive;
mod extract;
mod fact_archive;
mod gather;
mod index;
mod labels;
mod layout;
pub mod location;
mod lookup;
mod marks;
mod members;
mod moments;
mod rules;
mod source;
mod sql;
mod sweep;
mod table_writer;
mod tidy;
pub mod usage;
mod whole_file;

pub use compact::{Compacted, Compaction, PAGE_ROWS};
pub use error::{FactsError, Result};
pub use event_archive::{Archived, ArchivedLog, Erased, EventArchive, Events, Forgotten, Limit, Limits};
pub use extract::{Counts, Explanation, Extraction, Lineage, MEMORY, Report};
pub use fact_archive::{FactArchive, FactTable, Standing, Taken};
pub use index::{Indexed, build_index};
pub use location::{Location, Remote};
pub use lookup::{Found, Lookup, What};
pub use rules::{Feature, Order, Rules, parse_duration};
pub use source::{Snapshot, Source, roots};
pub use sql::Dialect;
pub use tidy::{Tidied, Tidying};
pub use whole_file::{WholeFile, refuse_inputs, refuse_inside};
