//! `GET /v1/trending`: what is played most right now.

use super::asked::hour_now;
use super::filter::{Expressions, Gate, sifted};
use super::problem::Problem;
use super::query::Parameters;
use super::recommendations::RankedTitle;
use super::state::{Answer, ApiState, State, ok};
use actix_web::HttpRequest;
use nearline_model::Aggregates;
use nearline_model::aggregates::ALL;
use nearline_model::catalogue::Catalogue;
use nearline_model::expression::Context;
use nearline_model::ranking::{Ranked, trending};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

/// What is played most right now.
#[derive(Debug, Serialize, ToSchema)]
pub struct TrendingAnswer {
    /// Where: `all`, `country:BR`, `device:tv`, or two of them, averaged. `all` if nothing was ever
    /// played where it was asked for.
    pub dimension: String,
    /// Titles, most played first; the score is relative to the first.
    pub titles: Vec<RankedTitle>,
}

#[utoipa::path(
    get, path = "/v1/trending", tag = "titles", summary = "What is played most right now",
    params(
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2"),
        ("device" = Option<String>, Query, description = "Device"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
    ),
    responses(
        (status = 200, description = "Titles, most played first", body = TrendingAnswer),
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
    let (dimension, ranked) = ranked(&aggregates, &catalogue, country, device, count(&aggregates));
    let ranked = sifted(&gate, ranked, limit);
    gate.finish()?;
    ok(&TrendingAnswer { dimension, titles: documents(ranked, &catalogue) })
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
    let (dimension, ranked) = ranked(&aggregates, &catalogue, country, device, limit);
    TrendingAnswer { dimension, titles: documents(ranked, &catalogue) }
}

/// The dimension that is answered for, and its best titles.
fn ranked(
    aggregates: &Aggregates,
    catalogue: &Catalogue,
    country: Option<&str>,
    device: Option<&str>,
    limit: usize,
) -> (String, Vec<Ranked>) {
    let asked = [
        country.map(|country| format!("country:{country}")),
        device.map(|device| format!("device:{device}")),
    ];
    let mut dimensions: Vec<String> =
        asked.into_iter().flatten().filter(|name| aggregates.counters(name).is_some()).collect();
    if dimensions.is_empty() {
        dimensions.push(ALL.to_owned());
    }
    let of = |dimension: &str, limit| trending(aggregates, catalogue, dimension, country, limit);
    let ranked = match dimensions.as_slice() {
        [one] => of(one, limit),
        several => {
            let lists = several.iter().map(|dimension| of(dimension, count(aggregates)));
            averaged(lists.collect(), limit)
        }
    };
    (dimensions.join(" and "), ranked)
}

fn documents(ranked: Vec<Ranked>, catalogue: &Catalogue) -> Vec<RankedTitle> {
    ranked.into_iter().map(|ranked| RankedTitle::new(ranked, catalogue)).collect()
}

fn count(aggregates: &Aggregates) -> usize {
    aggregates.title_count()
}

fn averaged(lists: Vec<Vec<Ranked>>, limit: usize) -> Vec<Ranked> {
    let share = 1.0 / lists.len().max(1) as f64;
    let mut scores: BTreeMap<Arc<str>, f64> = BTreeMap::new();
    for ranked in lists.into_iter().flatten() {
        *scores.entry(ranked.title).or_default() += ranked.score * share;
    }
    let mut ranked: Vec<Ranked> =
        scores.into_iter().map(|(title, score)| Ranked { title, score, reasons: Vec::new() }).collect();
    // The sort is stable: equal scores stay ordered by id.
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked.truncate(limit);
    ranked
}
