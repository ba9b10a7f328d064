//! `GET /v1/titles/{id}/insights`: how a title does, by epoch and dimension.

use super::problem::Problem;
use super::query::{Parameters, path_id};
use super::state::{Answer, State, ok};
use super::titles::unknown;
use actix_web::HttpRequest;
use nearline_model::aggregates::ALL;
use nearline_model::delta::{Counts, EPOCH_MS};
use nearline_model::timestamp::format_rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// Sums of counts.
#[derive(Debug, Default, Clone, PartialEq, Serialize, ToSchema)]
pub struct CountsDocument {
    /// How often it was shown.
    pub impressions: u64,
    /// How many of those impressions were played.
    pub attributed_plays: u64,
    /// How many of those plays were watched for long enough (`fold.quality_seconds`).
    pub quality_plays: u64,
    /// Plays and first ratings, attributed or not; of a row or a position, its attributed plays.
    pub plays: u64,
    /// Attributed plays per impression; absent without impressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
}

impl CountsDocument {
    fn add(&mut self, counts: Counts) {
        self.quality_plays += u64::from(counts.quality);
        self.impressions += u64::from(counts.impressions);
        self.attributed_plays += u64::from(counts.attributed);
        self.plays += u64::from(counts.plays);
        self.take_rate =
            (self.impressions > 0).then(|| self.attributed_plays as f64 / self.impressions as f64);
    }
}

/// Counts of 30 minutes of event time.
#[derive(Debug, Serialize, ToSchema)]
pub struct EpochDocument {
    /// Its start, RFC 3339.
    pub start: String,
    /// What was counted.
    #[serde(flatten)]
    pub counts: CountsDocument,
}

/// Counts of one dimension.
#[derive(Debug, Serialize, ToSchema)]
pub struct DimensionDocument {
    /// `all`, `country:BR`, `device:tv`, `position:10-14`, `row:top10`.
    pub dimension: String,
    /// Sums over its epochs.
    pub totals: CountsDocument,
    /// Epochs in which anything was counted, oldest first.
    pub epochs: Vec<EpochDocument>,
}

/// How a title does.
#[derive(Debug, Serialize, ToSchema)]
pub struct InsightsAnswer {
    /// The title.
    pub title: String,
    /// Its name, if the catalogue has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Plays and first ratings since the beginning of the log.
    pub plays_ever: u64,
    /// Sums over the epochs kept.
    pub totals: CountsDocument,
    /// The same by dimension: everything first, then countries, devices, positions and rows.
    pub dimensions: Vec<DimensionDocument>,
}

#[utoipa::path(
    get, path = "/v1/titles/{id}/insights", tag = "titles", summary = "How a title does",
    params(("id" = String, Path, description = "The title")),
    responses(
        (status = 200, description = "Counts by epoch and dimension", body = InsightsAnswer),
        (status = 400, description = "The id is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is known of the title", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    let aggregates = state.engine.aggregates().read();
    let known = state.engine.catalogue().read().get(&id).cloned();
    let number = aggregates.title(&id);
    if number.is_none() && known.is_none() {
        return Err(unknown(&id, "is not in the catalogue, and no event named it"));
    }
    // Epochs past their time are swept out now and then; they are left out of answers at once.
    let oldest = (aggregates.newest_epoch() + 1).saturating_sub(state.config.aggregates.epochs);
    let mut names: Vec<&str> = aggregates.dimension_names().collect();
    names.sort_unstable_by_key(|name| (*name != ALL, kind_of(name), first_position(name), *name));
    let mut dimensions = Vec::new();
    for name in names {
        let counters = number.and_then(|number| aggregates.counters(name)?.title(number));
        let kept = counters.map(|counters| counters.epochs.as_slice()).unwrap_or_default();
        let mut totals = CountsDocument::default();
        let mut epochs = Vec::new();
        // A play without an impression came from no place of the page: what is known are attributed ones.
        let is_place = matches!(kind_of(name), "position" | "row");
        for (epoch, counts) in kept.iter().filter(|(epoch, _)| *epoch >= oldest) {
            let counts =
                &Counts { plays: if is_place { counts.attributed } else { counts.plays }, ..*counts };
            totals.add(*counts);
            let mut document = CountsDocument::default();
            document.add(*counts);
            epochs.push(EpochDocument {
                start: format_rfc3339(i64::from(*epoch) * EPOCH_MS),
                counts: document,
            });
        }
        if !epochs.is_empty() {
            dimensions.push(DimensionDocument { dimension: name.to_owned(), totals, epochs });
        }
    }
    let totals = dimensions.first().filter(|first| first.dimension == ALL).map(|first| first.totals.clone());
    ok(&InsightsAnswer {
        name: known.and_then(|title| title.name.clone()),
        plays_ever: number.map_or(0, |number| aggregates.plays(number)),
        totals: totals.unwrap_or_default(),
        dimensions,
        title: id,
    })
}

/// `country`, `device`, `position`, `row`.
fn kind_of(dimension: &str) -> &str {
    dimension.split_once(':').map_or("", |(kind, _)| kind)
}

/// The first position of `position:10-14`: bands are listed by it.
fn first_position(dimension: &str) -> u32 {
    let band = dimension.strip_prefix("position:").unwrap_or_default();
    let digits = band.find(|c: char| !c.is_ascii_digit()).unwrap_or(band.len());
    band[..digits].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_of_positions_stand_in_their_order() {
        let mut names = ["position:10-14", "position:2", "position:50+", "row:a", "country:BR", "position:0"];
        names.sort_unstable_by_key(|name| (kind_of(name), first_position(name), *name));
        let order = ["country:BR", "position:0", "position:2", "position:10-14", "position:50+", "row:a"];
        assert_eq!(names, order);
    }
}
