//! `GET /v1/members/{id}/recommendations`: what a member is offered next.

use super::artwork::{self, ArtworkDocument};
use super::asked::{Asked, SHARED, now_s};
use super::cursor::Route;
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::state::{Answer, ApiState, State, ok};
use crate::experiments::{Allocation, recommendation_id};
use actix_web::HttpRequest;
use nearline_actors::NotReached;
use nearline_model::MemberSnapshot;
use nearline_model::catalogue::Catalogue;
use nearline_model::page::{RowReason, RowTitle};
use nearline_model::ranking::{Ranked, Reason, rank};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use utoipa::ToSchema;

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
    /// Members who have just begun often watch it.
    OftenFirst {
        /// Its part of the score.
        weight: f64,
    },
    /// Hardly anybody has played it yet, and it is of genres that the member likes.
    Newcomer {
        /// The member's affinity to its genres, 0 to 1.
        affinity: f64,
        /// Its part of the score.
        weight: f64,
    },
    /// It was begun and not finished.
    ContinueWatching {
        /// Seconds watched.
        watched_s: u32,
        /// Length in seconds.
        duration_s: u32,
    },
    /// It is played much right now.
    Trending {
        /// Where: `all`, `country:BR`, `device:tv`.
        dimension: String,
        /// Its decayed plays, relative to the most played title.
        weight: f64,
    },
    /// It is new or little played, and of genres that the member likes.
    New {
        /// Year of release.
        #[serde(skip_serializing_if = "Option::is_none")]
        year: Option<u16>,
        /// How often it was played.
        plays: u64,
        /// The member's affinity to its genres, 0 to 1.
        affinity: f64,
    },
    /// It is on the member's own list.
    OnMyList {},
}

impl From<RowReason> for ReasonDocument {
    fn from(reason: RowReason) -> Self {
        match reason {
            RowReason::Ranked(reason) => reason.into(),
            RowReason::Begun { watched_s, duration_s } => Self::ContinueWatching { watched_s, duration_s },
            RowReason::Trending { dimension, weight } => Self::Trending { dimension, weight },
            RowReason::New { year, plays, affinity } => Self::New { year, plays, affinity },
            RowReason::Listed => Self::OnMyList {},
        }
    }
}

impl From<Reason> for ReasonDocument {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::BecauseYouWatched { title, weight } => Self::BecauseYouWatched { title, weight },
            Reason::Popular { dimension, weight } => Self::Popular { dimension, weight },
            Reason::OftenFirst { weight } => Self::OftenFirst { weight },
            Reason::Newcomer { affinity, weight } => Self::Newcomer { affinity, weight },
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
    /// The artwork to show this member, if the catalogue has artworks of the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artwork: Option<ArtworkDocument>,
    /// Why it is here, weightiest first, if `explain` was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub reasons: Vec<ReasonDocument>,
}

impl RankedTitle {
    /// `ranked` with what the catalogue knows.
    pub fn new(ranked: Ranked, catalogue: &Catalogue) -> Self {
        let reasons = ranked.reasons.into_iter().map(ReasonDocument::from).collect();
        Self::known(ranked.title, ranked.score, reasons, catalogue)
    }

    /// A title of a row with what the catalogue knows.
    pub fn of_row(title: RowTitle, catalogue: &Catalogue) -> Self {
        let reasons = title.reasons.into_iter().map(ReasonDocument::from).collect();
        Self::known(title.title, title.score, reasons, catalogue)
    }

    fn known(title: Arc<str>, score: f64, reasons: Vec<ReasonDocument>, catalogue: &Catalogue) -> Self {
        let known = catalogue.get(&title);
        Self {
            name: known.and_then(|title| title.name.clone()),
            genres: known.map(|title| title.genres.clone()).unwrap_or_default(),
            artwork: None,
            title,
            score,
            reasons,
        }
    }
}

/// The experiment that an answer was made under.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VariantDocument {
    /// The experiment.
    pub experiment: String,
    /// The variant that the member is dealt to.
    pub variant: String,
}

impl VariantDocument {
    /// Of an allocation.
    pub fn of(allocation: &Allocation<'_>) -> Self {
        Self { experiment: allocation.experiment.to_owned(), variant: allocation.variant.to_owned() }
    }
}

/// A member's recommendations.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecommendationsAnswer {
    /// Id of this answer, fresh each time: send it back as `request` of impressions and plays. Under an
    /// experiment it ends in `-x-EXPERIMENT-VARIANT`.
    pub recommendation_id: String,
    /// The member.
    pub member: String,
    /// `live`: every event folded counts; `store`: every event committed; `popular`: the member's
    /// own history was out of reach.
    pub source: &'static str,
    /// Position of the log that the member's state reflects; 0 for `popular`.
    pub position: u64,
    /// The experiment that it was made under, if the member is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<VariantDocument>,
    /// Titles, best first.
    pub titles: Vec<RankedTitle>,
    /// Cursor of the page after this one; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
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
        ("after" = Option<u64>, Query, description = "Position that publishing an event of this member gave: the answer is at least that new"),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before: no title of the session is given again"),
    ),
    responses(
        (status = 200, description = "Titles, best first", body = RecommendationsAnswer),
        (status = 400, description = "The id or a parameter is not valid, or the log has no such position for this member", body = Problem, content_type = "application/problem+json"),
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
    let known = [SHARED.as_slice(), &["after", "cursor"]].concat();
    let parameters = Parameters::read(request, &known)?;
    let asked = Asked::read(&parameters, state, &member, Route::Recommendations)?;
    let _admitted = state.admission.admit()?;
    let found = state.engine.member(&member, false, asked.after).await.map_err(not_reached)?;
    let allocation = state.experiments.allocate(&member);
    let titles = row(state, &asked, &member, found.snapshot.as_ref(), allocation.as_ref())?;
    state.queries.count(found.source);
    let source = found.source.name();
    metrics::histogram!("nearline_query_duration_seconds", "route" => "recommendations", "source" => source)
        .record(started.elapsed());
    let is_full = titles.len() >= asked.limit;
    let given = titles.iter().map(|title| &*title.title);
    let next = if is_full { asked.session.next(given, now_s(), &state.config.http) } else { None };
    Ok(RecommendationsAnswer {
        recommendation_id: issued_id(&member, allocation.as_ref()),
        source,
        position: found.position,
        variant: allocation.as_ref().map(VariantDocument::of),
        titles,
        next,
        member,
    })
}

/// A fresh recommendation id; under an experiment, the member now counts as exposed to the variant.
pub(super) fn issued_id(member: &str, allocation: Option<&Allocation<'_>>) -> String {
    if let Some(allocation) = allocation {
        allocation.expose(member);
    }
    recommendation_id(allocation)
}

/// The row that `asked` asks for, of a member in this state.
pub(super) fn row(
    state: &ApiState,
    asked: &Asked,
    member: &str,
    snapshot: Option<&MemberSnapshot>,
    allocation: Option<&Allocation<'_>>,
) -> Result<Vec<RankedTitle>, Problem> {
    let aggregates = state.engine.aggregates().read();
    let catalogue = state.engine.catalogue().read();
    asked.with_query(state, &catalogue, member, snapshot, allocation, |query| {
        let ranked = rank(&aggregates, &catalogue, snapshot, query);
        let mut titles: Vec<RankedTitle> =
            ranked.into_iter().map(|ranked| RankedTitle::new(ranked, &catalogue)).collect();
        artwork::decorate(state, &aggregates, &catalogue, member, snapshot, &mut titles);
        titles
    })
}

/// The problem of a position that was not reached.
pub(super) fn not_reached(error: NotReached) -> Problem {
    let kind = match error.log_end {
        Some(_) => ProblemKind::PositionUnknown,
        None => ProblemKind::PositionNotReached,
    };
    let problem =
        Problem::new(kind, error.to_string()).with("position", error.position).with("wanted", error.wanted);
    match error.log_end {
        Some(end) => problem.with("log_end", end),
        None => problem,
    }
}
