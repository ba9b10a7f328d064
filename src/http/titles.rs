//! `/v1/titles`: the catalogue, and what is similar to a title.

use super::asked::hour_now;
use super::body::{self, BodyFormat, Entries, malformed};
use super::filter::{Expressions, Gate, sifted};
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::recommendations::RankedTitle;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, web};
use nearline_model::catalogue::MAX_TITLE_BYTES;
use nearline_model::expression::Context;
use nearline_model::ranking::{Query, similar};
use nearline_model::{Reject, RejectReason, Title};
use serde::Serialize;
use utoipa::ToSchema;

/// A title of the catalogue. The list of similar and trending titles shows what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TitleDocument {
    /// Id, `[A-Za-z0-9_-]{1,64}`; may be left out where the path has it.
    pub id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Genres, most telling first.
    #[schema(required = false)]
    pub genres: Vec<String>,
    /// Year of release.
    pub year: Option<u16>,
    /// Youngest age it is meant for, in years.
    pub maturity: Option<u8>,
    /// Countries (ISO 3166-1 alpha-2) where it may be shown; empty: everywhere.
    #[schema(required = false)]
    pub countries: Vec<String>,
    /// Ids of its artworks.
    #[schema(required = false)]
    pub artworks: Vec<String>,
}

/// What became of one title.
#[derive(Debug, Serialize, ToSchema)]
pub struct TitleResult {
    /// Its index, from 0, in a JSON array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its line, from 1, in NDJSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// `stored` or `rejected`.
    pub status: &'static str,
    /// Its id, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Stable code of why it was not stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What exactly was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of all titles of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct TitlesAnswer {
    /// Titles stored.
    pub stored: usize,
    /// Titles refused.
    pub rejected: usize,
    /// Each title, in the order sent.
    pub results: Vec<TitleResult>,
}

/// Titles that follow a title.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimilarAnswer {
    /// The title asked about.
    pub title: String,
    /// Titles, most similar first.
    pub titles: Vec<RankedTitle>,
}

#[utoipa::path(
    put, path = "/v1/titles/{id}", tag = "titles", summary = "Put a title into the catalogue",
    params(("id" = String, Path, description = "The title")),
    request_body(content = TitleDocument, content_type = "application/json"),
    responses(
        (status = 200, description = "The title as stored", body = TitleDocument),
        (status = 400, description = "The id or the title is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The catalogue is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    if BodyFormat::of(&request)? != BodyFormat::Json {
        let detail = "one title is application/json; send many to POST /v1/titles";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let body = body::read(&request, payload, &state.config.http).await?;
    let mut title: Title = serde_json::from_slice(&body).map_err(malformed)?;
    if title.id.is_empty() {
        title.id.clone_from(&id);
    }
    if title.id != id {
        let detail =
            format!("`id` is {:?}, the path says {id:?}; leave one out or make them equal", title.id);
        return Err(Problem::new(ProblemKind::InvalidTitle, detail).with("reason", "invalid-id"));
    }
    check(&title, body.len()).map_err(|reject| {
        Problem::new(ProblemKind::InvalidTitle, reject.detail).with("reason", reject.reason.code())
    })?;
    store(&state, vec![title.clone()]).await?;
    ok(&title)
}

#[utoipa::path(
    get, path = "/v1/titles/{id}", tag = "titles", summary = "A title of the catalogue",
    params(("id" = String, Path, description = "The title")),
    responses(
        (status = 200, description = "The title", body = TitleDocument),
        (status = 400, description = "The id is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not in the catalogue", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    let found = state.engine.catalogue().read().get(&id).cloned();
    match found {
        Some(title) => ok(&*title),
        None => Err(unknown(&id, "is not in the catalogue; PUT it there")),
    }
}

#[utoipa::path(
    post, path = "/v1/titles", tag = "titles", summary = "Put many titles into the catalogue",
    description = "A JSON array, a single object, or NDJSON. One invalid title does not stop the others.",
    request_body(content(
        (Vec<TitleDocument> = "application/json"), (TitleDocument = "application/x-ndjson")
    ), description = "Titles"),
    responses(
        (status = 200, description = "Every valid title is stored", body = TitlesAnswer),
        (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The catalogue is away; nothing may have been stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn put_many(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    Parameters::read(&request, &[])?;
    let limits = &state.config.http;
    let format = BodyFormat::of(&request)?;
    let body = body::read(&request, payload, limits).await?;
    let entries = Entries::split(format, &body, limits.max_events_per_request)?;
    let mut results = Vec::with_capacity(entries.entries.len());
    let mut titles = Vec::new();
    for (number, text) in &entries.entries {
        let (index, line) = entries.numbers(*number);
        let mut result = TitleResult { index, line, status: "stored", id: None, reason: None, detail: None };
        match parse(text) {
            Ok(title) => {
                result.id = Some(title.id.clone());
                titles.push(title);
            }
            Err(reject) => {
                result.status = "rejected";
                result.reason = Some(reject.reason.code());
                result.detail = Some(reject.detail);
            }
        }
        results.push(result);
    }
    let stored = titles.len();
    if stored > 0 {
        store(&state, titles).await?;
    }
    ok(&TitlesAnswer { stored, rejected: results.len() - stored, results })
}

#[utoipa::path(
    get, path = "/v1/titles/{id}/similar", tag = "titles", summary = "Titles that are watched after a title",
    params(
        ("id" = String, Path, description = "The title"),
        ("country" = Option<String>, Query, description = "Country: only titles available there"),
        ("limit" = Option<usize>, Query, description = "Titles at most (default 20)", minimum = 1),
        ("filter" = Option<String>, Query, description = "CEL: only titles that it is true for"),
        ("boost" = Option<String>, Query, description = "CEL: what a title's score is multiplied by"),
        ("max_maturity" = Option<u8>, Query, description = "Only titles known to be meant for this age, in years, or younger"),
    ),
    responses(
        (status = 200, description = "Titles, most similar first", body = SimilarAnswer),
        (status = 400, description = "The id or a parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nothing is known of the title", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn similar_to(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    let known = ["country", "limit", "filter", "boost", "max_maturity"];
    let parameters = Parameters::read(&request, &known)?;
    let limits = &state.config.http;
    let limit = parameters.limit(limits.default_limit, limits.max_limit)?;
    let country = parameters.country()?;
    let expressions = Expressions::read(&parameters, &state.programs)?;
    let aggregates = state.engine.aggregates().read();
    let catalogue = state.engine.catalogue().read();
    if aggregates.title(&id).is_none() && catalogue.get(&id).is_none() {
        return Err(unknown(&id, "is not in the catalogue, and no event named it"));
    }
    let wanted = if expressions.is_empty() { limit } else { aggregates.title_count() };
    let learned = state.engine.learned();
    let query = Query {
        limit: wanted,
        country,
        settings: Some(&state.config.ranking),
        learned: Some(&learned),
        ..Query::default()
    };
    let ranked = similar(&aggregates, &catalogue, &id, &query);
    let context = Context::new(country, None, hour_now(), "", None);
    let gate = Gate::new(&expressions, &catalogue, context, limits.expression_steps);
    let ranked = sifted(&gate, ranked, limit);
    gate.finish()?;
    let titles = ranked.into_iter().map(|ranked| RankedTitle::new(ranked, &catalogue)).collect();
    ok(&SimilarAnswer { title: id, titles })
}

/// The problem of a title that nothing is known of.
pub(super) fn unknown(id: &str, why: &str) -> Problem {
    Problem::new(ProblemKind::TitleNotFound, format!("{id} {why}"))
}

fn parse(text: &[u8]) -> Result<Title, Reject> {
    let title: Title = serde_json::from_slice(text).map_err(|error| {
        let reason = match error.classify() {
            serde_json::error::Category::Data => RejectReason::InvalidField,
            _ => RejectReason::MalformedJson,
        };
        Reject::new(reason, error.to_string())
    })?;
    check(&title, text.len())?;
    Ok(title)
}

fn check(title: &Title, bytes: usize) -> Result<(), Reject> {
    if bytes > MAX_TITLE_BYTES {
        let detail = format!("title has {bytes} bytes; at most {MAX_TITLE_BYTES} are taken");
        return Err(Reject::new(RejectReason::TooLarge, detail));
    }
    title.validate()
}

/// Stores titles durably, and shows them on this node at once.
async fn store(state: &State, titles: Vec<Title>) -> Result<(), Problem> {
    let catalogue = &state.engine.ports().catalogue;
    catalogue.put(titles.clone()).await.map_err(|error| {
        Problem::new(ProblemKind::CatalogueUnavailable, format!("{error}; send the titles again"))
    })?;
    let mut catalogue = state.engine.catalogue().write();
    titles.into_iter().for_each(|title| catalogue.put(title));
    Ok(())
}
