//! `/v1/titles`: the catalogue, and what is similar to a title.

use super::body::{self, BodyFormat, Entries};
use super::filter;
use super::problem::{Problem, ProblemKind};
use super::query::{Parameters, path_id};
use super::recommendations::not_answered;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse, web};
use nearline_actors::TitleQuestion;
use nearline_api::recommendations::RankedTitle;
use nearline_api::titles::{SimilarAnswer, TitleResult, TitlesAnswer};
use nearline_model::catalogue::MAX_TITLE_BYTES;
use nearline_model::{Reject, RejectReason, Title};
use nearline_ports::PortError;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a patch is tried again where others change the same title.
const PATCH_AGAIN_MS: u64 = 1_000;

#[cfg_attr(feature = "openapi", utoipa::path(
    put, path = "/v1/titles/{id}", tag = "titles", operation_id = "put_title", summary = "Put a title into the catalogue",
    params(("id" = String, Path, description = "The title")),
    request_body(content = nearline_api::titles::TitleDocument, content_type = "application/json"),
    responses(
        (status = 200, description = "The title as stored", body = nearline_api::titles::TitleDocument),
        (status = 400, description = "The id or the title is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Bodies take as much room as they may; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The catalogue is away", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn put(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    if BodyFormat::of(&request)? != BodyFormat::Json {
        let detail = "one title is application/json; send many to POST /v1/titles";
        return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    }
    let body = body::read(&request, payload, &state).await?;
    let mut title = Title::parse(&body).map_err(|reject| {
        let detail = format!("the body is no valid JSON of the expected shape: {}", reject.detail);
        Problem::new(ProblemKind::MalformedBody, detail)
    })?;
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

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/titles/{id}", tag = "titles", operation_id = "read_title", summary = "A title of the catalogue",
    params(("id" = String, Path, description = "The title")),
    responses(
        (status = 200, description = "The title", body = nearline_api::titles::TitleDocument),
        (status = 400, description = "The id is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not in the catalogue", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    ok(&*known(&state, &id)?.0)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    patch, path = "/v1/titles/{id}", tag = "titles", summary = "Change fields of a title",
    description = "A JSON merge patch (RFC 7396): fields left out stay as they are, `null` takes one out.",
    params(("id" = String, Path, description = "The title")),
    request_body(content(
        (nearline_api::titles::TitlePatch = "application/merge-patch+json"), (nearline_api::titles::TitlePatch = "application/json")
    ), description = "Fields to change"),
    responses(
        (status = 200, description = "The title as stored", body = nearline_api::titles::TitleDocument),
        (status = 400, description = "The id or the title is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Not in the catalogue", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Bodies take as much room as they may; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The catalogue is away", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn patch(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    body::is_merge_patch(&request)?;
    let body = body::read(&request, payload, &state).await?;
    let changes: Map<String, Value> = body::object(&body)?;
    let invalid = |reason: &str, detail: String| {
        Problem::new(ProblemKind::InvalidTitle, detail).with("reason", reason.to_owned())
    };
    if changes.get("id").is_some_and(|told| told.as_str() != Some(id.as_str())) {
        let detail = format!("`id` cannot be changed: the path says {id:?}; leave it out");
        return Err(invalid("invalid-id", detail));
    }
    let until = Instant::now() + Duration::from_millis(PATCH_AGAIN_MS);
    loop {
        let (before, revision) = known(&state, &id)?;
        let title = patched(&before, &changes)
            .map_err(|error| invalid(RejectReason::InvalidField.code(), error.to_string()))?;
        check(&title, body.len()).map_err(|reject| invalid(reject.reason.code(), reject.detail))?;
        if state.engine.replace_title(title.clone(), revision).await.map_err(catalogue_away)? {
            return ok(&title);
        }
        // Another version was stored meanwhile: it is on its way here.
        if Instant::now() >= until {
            let detail = format!("title {id:?} was changed meanwhile by somebody else; send the patch again");
            return Err(Problem::new(ProblemKind::CatalogueUnavailable, detail));
        }
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A title with some of its fields changed. No field of a title has fields of its own: what is told replaces what was
/// there.
fn patched(before: &Title, changes: &Map<String, Value>) -> serde_json::Result<Title> {
    let mut fields = serde_json::to_value(before)?;
    for (name, value) in changes {
        match &mut fields {
            Value::Object(fields) if value.is_null() => drop(fields.remove(name)),
            fields => fields[name] = value.clone(),
        }
    }
    serde_json::from_value(fields)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/v1/titles/{id}", tag = "titles", summary = "Withdraw a title",
    description = "From now on it is offered nowhere, in the catalogue or not, whatever is asked for; putting it again brings it \
        back. What members did with it is kept.",
    params(("id" = String, Path, description = "The title")),
    responses(
        (status = 204, description = "It is withdrawn, or was before"),
        (status = 400, description = "The id is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The catalogue is away", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn withdraw(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    Parameters::read(&request, &[])?;
    store(&state, vec![Title::withdrawn(&id)]).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A title of the catalogue and its revision, one that was withdrawn aside.
fn known(state: &State, id: &str) -> Result<(Arc<Title>, u64), Problem> {
    match state.engine.title_with_revision(id) {
        Some((title, _)) if title.is_removed() => Err(unknown(id, "was withdrawn; PUT it to bring it back")),
        Some(known) => Ok(known),
        None => Err(unknown(id, "is not in the catalogue; PUT it there")),
    }
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/titles", tag = "titles", operation_id = "put_titles", summary = "Put many titles into the catalogue",
    description = "A JSON array, a single object, or NDJSON. One invalid title does not stop the others: the answer is 200, and `results` says of each title what became of it.",
    request_body(content(
        (Vec<nearline_api::titles::TitleDocument> = "application/json"), (nearline_api::titles::TitleDocument = "application/x-ndjson")
    ), description = "Titles"),
    responses(
        (status = 200, description = "Every valid title is stored", body = TitlesAnswer),
        (status = 400, description = "The body cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Content type not taken", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Bodies take as much room as they may; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The catalogue is away; nothing may have been stored", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn put_many(request: HttpRequest, state: State, payload: web::Payload) -> Answer {
    Parameters::read(&request, &[])?;
    let limits = &state.config.http;
    let format = BodyFormat::of(&request)?;
    let body = body::read(&request, payload, &state).await?;
    let entries = Entries::split(format, &body, limits.max_events_per_request)?;
    let mut results = Vec::with_capacity(entries.entries.len());
    let mut titles = Vec::new();
    for (number, text) in &entries.entries {
        let (index, line) = entries.numbers(*number);
        let read = parse(text);
        results.push(TitleResult::of(index, line, read.as_ref()));
        titles.extend(read);
    }
    let stored = titles.len();
    if stored > 0 {
        store(&state, titles).await?;
    }
    ok(&TitlesAnswer { stored, rejected: results.len() - stored, results })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/titles/{id}/similar", tag = "titles", operation_id = "list_similar", summary = "Titles like a title, or watched after it",
    params(
        ("id" = String, Path, description = "The title"),
        ("by" = Option<String>, Query, description = "`likeness` (the default): watched by the same members, and of the same genres; `next`: watched after it"),
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
        (status = 429, description = "Too many queries are under way; or the node is behind; see Retry-After", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn similar_to(request: HttpRequest, state: State) -> Answer {
    let id = path_id(&request)?;
    let known = ["by", "country", "limit", "filter", "boost", "max_maturity"];
    let parameters = Parameters::read(&request, &known)?;
    let limits = &state.config.http;
    let question = TitleQuestion {
        title: id.clone(),
        next: parameters.by_next()?,
        limit: parameters.limit(limits.default_limit, limits.max_limit)?,
        country: parameters.country()?.map(str::to_owned),
        expressions: filter::read(&parameters, &state.programs)?,
    };
    match state.engine.similar(&question).await.map_err(not_answered)? {
        Some(titles) => {
            let titles = titles.into_iter().map(RankedTitle::from).collect();
            ok(&SimilarAnswer { title: id, titles })
        }
        None => Err(unknown(&id, "is not in the catalogue, and nothing was counted of it")),
    }
}

/// The problem of a title that nothing is known of.
pub(super) fn unknown(id: &str, why: &str) -> Problem {
    Problem::new(ProblemKind::TitleNotFound, format!("{id} {why}"))
}

fn parse(text: &[u8]) -> Result<Title, Reject> {
    let title = Title::parse(text)?;
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
    state.engine.put_titles(titles).await.map_err(catalogue_away)
}

fn catalogue_away(error: PortError) -> Problem {
    Problem::new(ProblemKind::CatalogueUnavailable, format!("{error}; send it again"))
}
