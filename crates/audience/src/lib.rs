//! Events when there is no streaming service: an audience made up from a seed, take-rate streams, a world of
//! artworks with known appeal, and public data sets read from their original files.

pub mod artworks;
pub mod audience;
pub mod datasets;
pub mod dice;
pub mod take_rates;
pub mod text_file;
pub mod title_file;

pub use audience::{Audience, AudienceSettings, GeneratedEvent, Shown, ShownTitle};
