//! `/admin/dead-letters`: refused events, and what operators do with them.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::routes;
use super::state::{Answer, ApiState, State, ok};
use actix_web::{HttpRequest, HttpResponse, web};
use nearline_api::dead_letters::{LetterDocument, document};
use nearline_model::Position;
use nearline_ports::PortError;
use nearline_ports::redrive::{RedriveError, redrive};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Letters of one answer at most, and if the caller does not say.
const MOST_LETTERS: usize = 1_000;
const DEFAULT_LETTERS: usize = 100;
/// Letters that the console is told of: the oldest.
const MOST_HEADINGS: usize = 5_000;

/// Registers the routes.
pub(super) fn register(config: &mut web::ServiceConfig) {
    config
        .route("/admin/dead-letters", routes::get().to(list))
        .route("/admin/dead-letters/{position}", routes::get().to(show))
        .route("/admin/dead-letters/{position}", web::delete().to(remove))
        .route("/admin/dead-letters/{position}/redrive", web::post().to(publish_again));
}

async fn list(request: HttpRequest, state: State) -> Answer {
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
            let mut heading = serde_json::to_value(document(&letter, None)).unwrap_or_default();
            if let Some(fields) = heading.as_object_mut() {
                fields.remove("payload");
            }
            headings.insert(letter.position.0, heading);
        }
        if count < MOST_LETTERS || headings.len() >= MOST_HEADINGS {
            return Ok((headings, count < MOST_LETTERS));
        }
    }
}

async fn show(request: HttpRequest, state: State) -> Answer {
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

async fn remove(request: HttpRequest, state: State) -> Answer {
    let position = position(&request)?;
    let letters = &state.engine.ports().dead_letters;
    letters.get(position).await.map_err(unavailable)?.ok_or_else(|| no_letter(position))?;
    letters.remove(position).await.map_err(unavailable)?;
    Ok(HttpResponse::NoContent().finish())
}

async fn publish_again(request: HttpRequest, state: State) -> Answer {
    let position = position(&request)?;
    let event_bytes = state.config.fold.event_bytes;
    match redrive(state.engine.ports(), position, event_bytes).await {
        Ok(redriven) => ok(&json!({
            "letter": position, "position": redriven.position, "already": redriven.already,
        })),
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
