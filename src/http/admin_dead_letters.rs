//! `/admin/dead-letters`: refused events, and what operators do with them.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, ApiState, State, ok};
use actix_web::{HttpRequest, HttpResponse};
use nearline_api::dead_letters::{LetterDocument, document, heading};
use nearline_api::operators::RedriveAnswer;
use nearline_model::Position;
use nearline_ports::PortError;
use nearline_ports::redrive::{RedriveError, redrive};
use serde_json::Value;
use std::collections::BTreeMap;

/// Letters of one answer at most, and if the caller does not say.
const MOST_LETTERS: usize = 1_000;
const DEFAULT_LETTERS: usize = 100;
/// Letters that the console is told of: the oldest.
const MOST_HEADINGS: usize = 5_000;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/dead-letters", tag = "dead letters", operation_id = "list_dead_letters", summary = "Events that were refused",
    params(
        ("after" = Option<u64>, Query, description = "Position behind which to go on"),
        ("limit" = Option<usize>, Query, description = "Letters at most (default 100)", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "By position", body = Vec<LetterDocument>),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The dead letters are out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn list(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["after", "limit"])?;
    let limit = parameters.limit(DEFAULT_LETTERS, MOST_LETTERS)?;
    let after = parameters.after()?.unwrap_or_default();
    let letters = state.engine.ports().dead_letters.list(after, limit).await.map_err(unavailable)?;
    ok(&letters.iter().map(|letter| document(letter, None)).collect::<Vec<LetterDocument>>())
}

/// The oldest letters by position, without their events, and whether these are all.
pub(super) async fn headings(state: &ApiState) -> Result<(BTreeMap<u64, Value>, bool), PortError> {
    let mut headings = BTreeMap::new();
    let mut after = Position::START;
    loop {
        let letters = state.engine.ports().dead_letters.list(after, MOST_LETTERS).await?;
        let count = letters.len();
        for letter in letters {
            after = letter.position;
            headings.insert(letter.position.0, serde_json::to_value(heading(&letter)).unwrap_or_default());
        }
        if count < MOST_LETTERS || headings.len() >= MOST_HEADINGS {
            return Ok((headings, count < MOST_LETTERS));
        }
    }
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/dead-letters/{position}", tag = "dead letters", operation_id = "read_dead_letter", summary = "A refused event, and whether it was published again",
    params(
        ("position" = u64, Path, description = "The letter's position"),
    ),
    responses(
        (status = 200, description = "The letter", body = LetterDocument),
        (status = 400, description = "The position is no number, or a parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The dead letters are out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn show(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let position = position(&request)?;
    let letters = &state.engine.ports().dead_letters;
    let letter = letters.get(position).await.map_err(unavailable)?.ok_or_else(|| no_letter(position))?;
    let redrive = match letters.redrive(position).await {
        // What is damaged there does not hide the letter; publishing again will say so.
        Err(PortError::Damaged { .. }) => None,
        found => found.map_err(unavailable)?,
    };
    ok(&document(&letter, redrive))
}

#[cfg_attr(feature = "openapi", utoipa::path(
    delete, path = "/admin/dead-letters/{position}", tag = "dead letters", operation_id = "drop_dead_letter", summary = "Drop a letter for good",
    params(
        ("position" = u64, Path, description = "The letter's position"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, description = "The position is no number, or a parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such letter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The dead letters are out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn remove(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let position = position(&request)?;
    let letters = &state.engine.ports().dead_letters;
    letters.get(position).await.map_err(unavailable)?.ok_or_else(|| no_letter(position))?;
    letters.remove(position).await.map_err(unavailable)?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/dead-letters/{position}/redrive", tag = "dead letters", operation_id = "redrive_dead_letter", summary = "Publish a letter's event again, once, however often it is asked for",
    params(
        ("position" = u64, Path, description = "The letter's position"),
    ),
    responses(
        (status = 200, description = "Where it stands now", body = RedriveAnswer),
        (status = 400, description = "The position is no number, or a parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such letter", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Its event cannot be published: it would be refused again", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The dead letters are out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn publish_again(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let position = position(&request)?;
    let event_bytes = state.config.fold.event_bytes;
    match redrive(state.engine.ports(), position, event_bytes).await {
        Ok(redriven) => ok(&RedriveAnswer {
            letter: position.0,
            position: redriven.position.0,
            already: redriven.already,
        }),
        Err(RedriveError::NoLetter(_)) => Err(no_letter(position)),
        Err(error @ RedriveError::Unpublishable { .. }) => {
            Err(Problem::new(ProblemKind::LetterUnpublishable, error.to_string()))
        }
        Err(RedriveError::Port(error)) => Err(unavailable(error)),
    }
}

fn position(request: &HttpRequest) -> Result<Position, Problem> {
    let text = request.match_info().query("position");
    text.parse().map_err(|_| {
        Problem::new(ProblemKind::InvalidId, "the position in the path is no whole number".to_owned())
    })
}

fn no_letter(position: Position) -> Problem {
    Problem::new(ProblemKind::LetterNotFound, format!("there is no dead letter of position {position}"))
}

fn unavailable(error: PortError) -> Problem {
    Problem::new(ProblemKind::LogUnavailable, error.to_string())
}
