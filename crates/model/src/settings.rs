//! Settings that the fold depends on. State folded under other settings is other state, so they
//! are stored beside it and compared on start.

use get_size2::GetSize;
use serde::{Deserialize, Serialize};

/// What bounds and shapes the fold. All limits are per member unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoldSettings {
    /// Titles kept in the history, most recent last.
    pub history_titles: usize,
    /// Titles remembered as seen after they left the history.
    pub seen_titles: usize,
    /// Titles on the member's own list, and titles with a thumb or a rating: each at most this many.
    pub list_titles: usize,
    /// Event ids remembered to drop duplicates.
    pub recent_ids: usize,
    /// Seconds, by the log's clock, for which an event id is remembered (at most `recent_ids` of them).
    pub recent_seconds: u32,
    /// Impressions, and plays waiting for a late impression, kept open: each at most this many.
    pub open_impressions: usize,
    /// Seconds of event time between an impression and a play that is attributed to it.
    pub attribution_seconds: u32,
    /// Seconds of event time by which an event may be late and still find its counterpart.
    pub lateness_seconds: u32,
    /// Seconds watched from which an attributed play is a quality play.
    pub quality_seconds: u32,
    /// Seconds of event time after a play within which watching makes it a quality play.
    pub quality_window_seconds: u32,
    /// Attributed plays that may still become quality plays, and titles watched for long enough whose
    /// plays may be late: each at most this many.
    pub open_plays: usize,
    /// Seconds by which a time stamp of the log may lie after the one before to be believed at once. One that
    /// jumps further counts as the one before until stamps have gone on from there for `clock_settle_seconds`.
    pub clock_jump_seconds: u32,
    /// Seconds for which stamps of the log must have gone on, by their own advance, until a jump of its clock,
    /// ahead or back, is believed.
    pub clock_settle_seconds: u32,
    /// Distinct titles, devices, rows, artworks and experiment variants of one partition at a time. Beyond, what
    /// came once and was not used again makes room; one member may bring a sixteenth.
    pub symbols_per_partition: usize,
    /// Titles back in the history that a play is a transition from.
    pub transition_window: usize,
    /// Largest event payload, in bytes.
    pub event_bytes: usize,
}

impl Default for FoldSettings {
    fn default() -> Self {
        Self {
            history_titles: 100,
            seen_titles: 2_000,
            list_titles: 500,
            recent_ids: 256,
            recent_seconds: 900,
            open_impressions: 256,
            attribution_seconds: 3_600,
            lateness_seconds: 600,
            quality_seconds: 120,
            quality_window_seconds: 14_400,
            open_plays: 64,
            clock_jump_seconds: 86_400,
            clock_settle_seconds: 300,
            symbols_per_partition: 1_000_000,
            transition_window: 50,
            event_bytes: 65_536,
        }
    }
}

/// Which keys of a section differ, each as `fold.recent_ids` was 256, is 128.
pub fn differences<T: Serialize>(section: &str, kept: &T, now: &T) -> String {
    let fields = |settings: &T| match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (kept, now) = (fields(kept), fields(now));
    let differing = now.iter().filter(|(key, value)| kept.get(*key) != Some(value));
    let told: Vec<String> = differing
        .map(|(key, value)| {
            format!("`{section}.{key}` was {}, is {value}", kept.get(key).unwrap_or(&serde_json::Value::Null))
        })
        .collect();
    told.join("; ")
}

/// Settings of the aggregates: how long counters are kept and how fast popularity fades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, GetSize)]
#[serde(deny_unknown_fields, default)]
pub struct AggregateSettings {
    /// 30-minute epochs kept of title counters.
    pub epochs: u32,
    /// Half-life of popularity, in 30-minute epochs of event time.
    pub popularity_half_life_epochs: u32,
    /// Half-life of the trend, in 30-minute epochs of event time.
    pub trend_half_life_epochs: u32,
    /// Distinct titles counted.
    pub titles: usize,
    /// Distinct countries, devices and bands of positions counted.
    pub dimensions: usize,
    /// Distinct title-to-title transitions kept.
    pub transitions: usize,
    /// Distinct rows counted.
    pub rows: usize,
    /// 30-minute epochs of a period of counts by place. The newest period and the one before are kept;
    /// position bias is estimated from the latter.
    pub place_epochs: u32,
    /// Distinct variants of experiments counted.
    pub variants: usize,
    /// 30-minute epochs kept of counts by variant.
    pub variant_epochs: u32,
    /// Artwork arms kept: distinct titles, artworks and segments together.
    pub arms: usize,
    /// Half-life of what is known of artworks, in 30-minute epochs of event time.
    pub arm_half_life_epochs: u32,
}

impl Default for AggregateSettings {
    fn default() -> Self {
        Self {
            epochs: 96,
            popularity_half_life_epochs: 14 * 48,
            trend_half_life_epochs: 6,
            titles: 200_000,
            dimensions: 1_024,
            transitions: 20_000_000,
            rows: 64,
            place_epochs: 12,
            variants: 256,
            variant_epochs: 30 * 48,
            arms: 2_000_000,
            arm_half_life_epochs: 30 * 48,
        }
    }
}
