//! `GET /v1/members/{id}/recommendations`: what a member is offered next.

use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::state::{Answer, ApiState, State, ok};
use actix_web::HttpRequest;
use nearline_actors::NotReached;
use nearline_model::catalogue::Catalogue;
use nearline_model::ranking::{Query, Ranked, Reason, rank};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;

/// Most ids in `exclude`.
const MAX_EXCLUDED: usize = 1_000;

/// Why a title is where it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReasonDocument {
    /// It often follows a title that the member watched.
    BecauseYouWatched {
        /// That title.
        #[schema(value_type = String)]
        title: Arc<str>,
        /// Its part of the score.
        weight: f64,
    },
    /// It is popular.
    Popular {
        /// Where: `all`, `country:BR`, `device:tv`.
        dimension: String,
        /// Its part of the score.
        weight: f64,
    },
}

impl From<Reason> for ReasonDocument {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::BecauseYouWatched { title, weight } => Self::BecauseYouWatched { title, weight },
            Reason::Popular { dimension, weight } => Self::Popular { dimension, weight },
        }
    }
}

/// A title of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct RankedTitle {
    /// Its id.
    #[schema(value_type = String)]
    pub title: Arc<str>,
    /// Its name, if the catalogue has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its genres, if the catalogue has them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub genres: Vec<String>,
    /// Its score; comparable within one answer only.
    pub score: f64,
    /// Why it is here, weightiest first, if `explain` was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub reasons: Vec<ReasonDocument>,
}

impl RankedTitle {
    /// `ranked` with what the catalogue knows.
    pub fn new(ranked: Ranked, catalogue: &Catalogue) -> Self {
        let known = catalogue.get(&ranked.title);
        Self {
            name: known.and_then(|title| title.name.clone()),
            genres: known.map(|title| title.genres.clone()).unwrap_or_default(),
            title: ranked.title,
            score: ranked.score,
            reasons: ranked.reasons.into_iter().map(ReasonDocument::from).collect(),
        }
    }
}

/// A member's recommendations.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecommendationsAnswer {
    /// Id of this answer, fresh each time: send it back as `request` of impressions and plays.
    pub recommendation_id: String,
    /// The member.
    pub member: String,
    /// `live`: every event folded counts; `store`: every event committed; `popular`: the member's
    /// own history was out of reach.
    pub source: &'static str,
    /// Position of the log that the member's state reflects; 0 for `popular`.
    pub position: u64,
    /// Titles, best first.
    pub titles: Vec<RankedTitle>,
}

#[utoipa::path(
    get, path = "/v1/members/{id}/recommendations", tag = "members",
    summary = "What a member is offered next",
    params(
        ("id" = String, Path, description = "The member"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("country" = Option<String>, Query, description = "Country, ISO 3166-1 alpha-2: only titles available there"),
        ("device" = Option<String>, Query, description = "Device"),
        ("exclude" = Option<String>, Query, description = "Titles not wanted: ids separated by commas; may be repeated"),
        ("explain" = Option<bool>, Query, description = "Whether reasons are wanted"),
        ("after" = Option<u64>, Query, description = "Position that publishing gave: the answer is at least that new"),
    ),
    responses(
        (status = 200, description = "Titles, best first", body = RecommendationsAnswer),
        (status = 400, description = "The id or a parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many queries are under way; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The state is not as new as `after` yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn recommend(request: HttpRequest, state: State) -> Answer {
    ok(&answer(&request, &state).await?)
}

/// The recommendations that `request` asks for.
pub(super) async fn answer(
    request: &HttpRequest,
    state: &ApiState,
) -> Result<RecommendationsAnswer, Problem> {
    let started = Instant::now();
    let member = path_id(request)?;
    let known = ["limit", "country", "device", "exclude", "explain", "after"];
    let parameters = Parameters::read(request, &known)?;
    let limits = &state.config.http;
    let query = Query {
        limit: parameters.limit(limits.default_limit, limits.max_limit)?,
        country: parameters.country()?,
        device: parameters.device()?,
        exclude: parameters.exclude(MAX_EXCLUDED)?,
        explain: parameters.explain()?,
    };
    let after = parameters.after()?;
    let _admitted = state.admission.admit()?;
    let found = state.engine.member(&member, false, after).await.map_err(not_reached)?;
    let titles = {
        let aggregates = state.engine.aggregates().read();
        let catalogue = state.engine.catalogue().read();
        let ranked = rank(&aggregates, &catalogue, found.snapshot.as_ref(), &query);
        ranked.into_iter().map(|ranked| RankedTitle::new(ranked, &catalogue)).collect()
    };
    state.queries.count(found.source);
    let source = found.source.name();
    metrics::histogram!("nearline_query_duration_seconds", "route" => "recommendations", "source" => source)
        .record(started.elapsed());
    let recommendation_id = format!("{:032x}", rand::random::<u128>());
    Ok(RecommendationsAnswer { recommendation_id, member, source, position: found.position, titles })
}

/// The problem of a position that was not reached in time.
pub(super) fn not_reached(error: NotReached) -> Problem {
    Problem::new(ProblemKind::PositionNotReached, error.to_string())
        .with("position", error.position)
        .with("wanted", error.wanted)
}
