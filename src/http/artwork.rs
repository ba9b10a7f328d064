//! The artwork of each title of an answer, chosen for the member.

use super::recommendations::RankedTitle;
use super::state::ApiState;
use nearline_model::Aggregates;
use nearline_model::MemberSnapshot;
use nearline_model::artwork::{affinity_segment, offered};
use nearline_model::catalogue::Catalogue;
use serde::Serialize;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use utoipa::ToSchema;

/// The artwork to show. Send all three back with the impression.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtworkDocument {
    /// Its id.
    pub id: String,
    /// Probability with which it was chosen among the title's artworks.
    pub propensity: f64,
    /// Segment of the member that it was chosen for; absent: the member is in none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub segment: Option<Arc<str>>,
}

/// Gives every title whose catalogue entry has artworks the one that `member` is shown now.
pub(super) fn decorate<'a>(
    state: &ApiState,
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    member: &str,
    snapshot: Option<&MemberSnapshot>,
    titles: impl IntoIterator<Item = &'a mut RankedTitle>,
) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = since.as_millis() as i64;
    let mut segment = None;
    for title in titles {
        let Some(known) = catalogue.get(&title.title).filter(|title| !title.artworks.is_empty()) else {
            continue;
        };
        let segment = segment.get_or_insert_with(|| affinity_segment(catalogue, snapshot));
        // Locked for each title anew: a page that needs many probabilities holds up no other for long.
        let choice = state.artworks.lock().choose(aggregates, known, member, segment.as_ref(), now_ms);
        title.artwork = choice.map(|choice| ArtworkDocument {
            id: offered(known)[choice.artwork].clone(),
            propensity: choice.propensity,
            segment: choice.segment,
        });
    }
}
