//! `/admin/log` and `/admin/facts`: pages of what the log and the stream of facts hold, for an archiver that reads a running
//! engine. Whoever asks says which log it means: positions mean nothing in another one.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::routes;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse, web};
use nearline_model::PartitionId;
use nearline_ports::{PortError, page};

/// Records of a page at most.
const MOST_RECORDS: usize = 10_000;
/// Entries of the stream of facts of a page at most.
const MOST_ENTRIES: usize = 64;

/// Registers the routes.
pub(super) fn register(config: &mut web::ServiceConfig) {
    config
        .route("/admin/log", routes::get().to(holdings))
        .route("/admin/log/{partition}", routes::get().to(records))
        .route("/admin/log/{partition}/{position}", routes::get().to(record))
        .route("/admin/facts", routes::get().to(facts));
}

async fn holdings(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let ports = state.engine.ports();
    ok(&page::holdings(&*ports.log, &*ports.facts).await.map_err(not_read)?)
}

async fn records(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["log", "after", "limit"])?;
    let log = &state.engine.ports().log;
    same("log", parameters.raw("log"), log.identity())?;
    let partition = partition(&request, log.partitions())?;
    let (after, limit) =
        (parameters.after()?.unwrap_or_default(), parameters.limit(MOST_RECORDS, MOST_RECORDS)?);
    let records = page::records(&**log, partition, after, limit).await.map_err(not_read)?;
    Ok(bytes(page::encode_records(&records)))
}

async fn record(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["log"])?;
    let log = &state.engine.ports().log;
    same("log", parameters.raw("log"), log.identity())?;
    let partition = partition(&request, log.partitions())?;
    let position = request.match_info().query("position").parse().map_err(|_| {
        Problem::new(ProblemKind::InvalidId, "the position in the path is no whole number".to_owned())
    })?;
    let record = log.record(partition, position).await.map_err(not_read)?;
    Ok(bytes(page::encode_records(record.as_slice())))
}

async fn facts(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["stream", "after", "limit"])?;
    let facts = &state.engine.ports().facts;
    same("stream", parameters.raw("stream"), &facts.identity().await.map_err(not_read)?)?;
    let (after, limit) =
        (parameters.after_number()?.unwrap_or(0), parameters.limit(MOST_ENTRIES, MOST_ENTRIES)?);
    let entries = page::facts(&**facts, after, limit).await.map_err(not_read)?;
    Ok(bytes(page::encode_facts(entries)))
}

fn bytes(page: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/octet-stream").body(page)
}

/// Refuses whoever means another log than this.
fn same(name: &str, meant: Option<&str>, is: &str) -> Result<(), Problem> {
    if meant.is_none_or(|meant| meant == is) {
        return Ok(());
    }
    let detail =
        format!("another {name} is meant than this, which is {is:?}: its positions mean nothing here");
    Err(Problem::new(ProblemKind::OtherLog, detail))
}

fn partition(request: &HttpRequest, count: u16) -> Result<PartitionId, Problem> {
    let number = request.match_info().query("partition").parse::<u16>().ok().filter(|number| *number < count);
    let wrong =
        || Problem::new(ProblemKind::InvalidId, format!("partitions are 0 to {}", count.saturating_sub(1)));
    number.map(PartitionId).ok_or_else(wrong)
}

fn not_read(error: PortError) -> Problem {
    let kind = if error.is_transient() { ProblemKind::LogUnavailable } else { ProblemKind::LogDamaged };
    Problem::new(kind, error.to_string())
}
