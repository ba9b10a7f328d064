//! `/admin/log` and `/admin/facts`: pages of what the log and the stream of facts hold, for an archiver that reads a running
//! engine. Whoever asks says which log it means: positions mean nothing in another one.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse};
#[cfg(feature = "openapi")]
use nearline_api::operators::shapes::HoldingsDocument;
use nearline_model::PartitionId;
use nearline_ports::{PortError, page};

/// Records of a page at most.
const MOST_RECORDS: usize = 10_000;
/// Entries of the stream of facts of a page at most.
const MOST_ENTRIES: usize = 64;

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/log", tag = "log", operation_id = "read_holdings", summary = "Which log and stream of facts there are, and how far they go",
    responses(
        (status = 200, description = "What can be read", body = HoldingsDocument),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "What was asked for is not kept any more, or damaged", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn holdings(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let ports = state.engine.ports();
    ok(&page::holdings(&*ports.log, &*ports.facts).await.map_err(not_read)?)
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/log/{partition}", tag = "log", operation_id = "read_log", summary = "A page of a partition's log",
    params(
        ("partition" = u16, Path, description = "The partition"),
        ("log" = Option<String>, Query, description = "Identity of the log that is meant"),
        ("after" = Option<u64>, Query, description = "Position behind which to go on"),
        ("limit" = Option<usize>, Query, description = "Records at most (default 10000)", minimum = 1, maximum = 10000),
    ),
    responses(
        (status = 200, description = "Records, in the bytes that `nearline-lab archive` reads", body = String, content_type = "application/octet-stream"),
        (status = 400, description = "A parameter or a part of the path is not possible", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another log is meant than this", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "What was asked for is not kept any more, or damaged", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn records(request: HttpRequest, state: State) -> Answer {
    let parameters = Parameters::read(&request, &["log", "after", "limit"])?;
    let log = &state.engine.ports().log;
    same("log", parameters.raw("log"), log.identity())?;
    let partition = partition(&request, log.partitions())?;
    let (after, limit) =
        (parameters.after()?.unwrap_or_default(), parameters.limit(MOST_RECORDS, MOST_RECORDS)?);
    let records = page::records(&**log, partition, after, limit).await.map_err(not_read)?;
    Ok(bytes(page::encode_records(&records)))
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/log/{partition}/{position}", tag = "log", operation_id = "read_log_record", summary = "A record of a partition's log",
    params(
        ("partition" = u16, Path, description = "The partition"),
        ("position" = u64, Path, description = "Position of the record"),
        ("log" = Option<String>, Query, description = "Identity of the log that is meant"),
    ),
    responses(
        (status = 200, description = "A page of it, or of none if it is not there", body = String, content_type = "application/octet-stream"),
        (status = 400, description = "A parameter or a part of the path is not possible", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another log is meant than this", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "What was asked for is not kept any more, or damaged", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn record(request: HttpRequest, state: State) -> Answer {
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

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/facts", tag = "log", operation_id = "read_facts", summary = "A page of the stream of facts",
    params(
        ("stream" = Option<String>, Query, description = "Identity of the stream that is meant"),
        ("after" = Option<u64>, Query, description = "Number of the entry behind which to go on"),
        ("limit" = Option<usize>, Query, description = "Entries at most (default 64)", minimum = 1, maximum = 64),
    ),
    responses(
        (status = 200, description = "Entries, in the bytes that `nearline-lab archive` reads", body = String, content_type = "application/octet-stream"),
        (status = 400, description = "A parameter or a part of the path is not possible", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another log is meant than this", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "What was asked for is not kept any more, or damaged", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is out of reach", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn facts(request: HttpRequest, state: State) -> Answer {
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
