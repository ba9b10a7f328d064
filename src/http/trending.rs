//! `GET /v1/trending`: what is taken and played most right now.

use super::asked::hour_now;
use super::filter::{Expressions, Gate};
use super::problem::Problem;
use super::query::Parameters;
use super::recommendations::RankedTitle;
use super::state::{Answer, ApiState, State, ok};
use actix_web::HttpRequest;
use nearline_model::Aggregates;
use nearline_model::aggregates::ALL;
use nearline_model::catalogue::Catalogue;
use nearline_model::expression::Context;
use nearline_model::ranking::Ranked;
use nearline_model::trending::{Trend, TrendQuery, known_dimensions, trending};
use serde::Serialize;
use utoipa::ToSchema;

/// A title that trends, and what its score is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendingTitle {
    /// The title. Its score is `lift · (plays / plays of the title played most)^¼`.
    #[serde(flatten)]
    pub title: RankedTitle,
    /// Where it trends: a dimension that was asked for, or `all` where those hold too few titles.
    pub dimension: String,
    /// Plays, fading with the half-life of the trend.
    pub plays: f64,
    /// Impressions, fading alike.
    pub impressions: f64,
    /// Attributed plays per impression, both fading; absent without impressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_rate: Option<f64>,
    /// How much the places where it was shown are looked at, relative to the mean of all impressions.
    pub examination: f64,
    /// Its take rate over the overall one, corrected for its places, and drawn toward 1 where little is
    /// known; 1 for a title that was never shown.
    pub lift: f64,
}

impl TrendingTitle {
    fn new(trend: Trend, catalogue: &Catalogue) -> Self {
        let Trend { title, score, dimension, plays, impressions, take_rate, examination, lift } = trend;
        let title = RankedTitle::new(Ranked { title, score, reasons: Vec::new() }, catalogue);
        Self { title, dimension, plays, impressions, take_rate, examination, lift }
    }
}

/// What is taken and played most right now.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendingAnswer {
    /// Where: `all`, `country:BR`, `device:tv`, or two of them, averaged. `all` if nothing is
    /// played where it was asked for.
    pub dimension: String,
    /// Titles, best first.
    pub titles: Vec<TrendingTitle>,
}

#[utoipa::path(
    get, path = "/v1/trending", tag = "titles", summary = "What is taken and played most right now",
    params(
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2"),
        ("device" = Option<String>, Query, description = "Device"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
    ),
    responses(
        (status = 200, description = "Titles, best first, with the parts of their scores", body = TrendingAnswer),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(request: HttpRequest, state: State) -> Answer {
    let known = ["country", "device", "limit", "filter", "boost", "max_maturity"];
    let parameters = Parameters::read(&request, &known)?;
    let limits = &state.config.http;
    let limit = parameters.limit(limits.default_limit, limits.max_limit)?;
    let expressions = Expressions::read(&parameters, &state.programs)?;
    let (country, device) = (parameters.country()?, parameters.device()?);
    if expressions.is_empty() {
        return ok(&top(&state, country, device, limit));
    }
    let aggregates = state.engine.aggregates().read();
    let catalogue = state.engine.catalogue().read();
    let context = Context::new(country, device, hour_now(), "", None);
    let gate = Gate::new(&expressions, &catalogue, context, limits.expression_steps);
    let (dimension, mut trends) = trends(&aggregates, &catalogue, country, device, usize::MAX);
    trends.retain(|trend| gate.admits(&trend.title));
    if expressions.has_boost() {
        trends.iter_mut().for_each(|trend| trend.score *= gate.factor(&trend.title));
        trends.retain(|trend| trend.score > 0.0);
        // The sort is stable: equal scores stay ordered by id.
        trends.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    trends.truncate(limit);
    gate.finish()?;
    ok(&TrendingAnswer { dimension, titles: documents(trends, &catalogue) })
}

/// The `limit` titles that trend in a country, on a device, or anywhere.
pub(super) fn top(
    state: &ApiState,
    country: Option<&str>,
    device: Option<&str>,
    limit: usize,
) -> TrendingAnswer {
    let aggregates = state.engine.aggregates().read();
    let catalogue = state.engine.catalogue().read();
    let (dimension, trends) = trends(&aggregates, &catalogue, country, device, limit);
    TrendingAnswer { dimension, titles: documents(trends, &catalogue) }
}

/// The dimension that is answered for, and what trends there.
fn trends(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    country: Option<&str>,
    device: Option<&str>,
    limit: usize,
) -> (String, Vec<Trend>) {
    let asked = [
        country.map(|country| format!("country:{country}")),
        device.map(|device| format!("device:{device}")),
    ];
    let asked: Vec<&str> = asked.iter().flatten().map(String::as_str).collect();
    let known = known_dimensions(aggregates, &asked);
    let dimension = if known.is_empty() { ALL.to_owned() } else { known.join(" and ") };
    let query = TrendQuery { dimensions: &known, country, limit };
    (dimension, trending(aggregates, catalogue, &query))
}

fn documents(trends: Vec<Trend>, catalogue: &Catalogue) -> Vec<TrendingTitle> {
    trends.into_iter().map(|trend| TrendingTitle::new(trend, catalogue)).collect()
}
