//! What operators do with one partition. `POST /admin/partitions/{partition}/verify`: its log is folded again from its start, and
//! compared with what is stored, byte for byte. `POST …/give-away`: another node takes it.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, State, ok};
use actix_web::{HttpRequest, HttpResponse, web};
use nearline_actors::NotGivenAway;
use nearline_api::operators::{GivenAwayAnswer, VerifyAnswer};
use nearline_model::PartitionId;
use nearline_ports::verify::{VerifyError, verify_partition};
use tokio::sync::Mutex;

/// Held by whoever verifies: one at a time, since each reads a whole log.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<()>);

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/partitions/{partition}/verify", tag = "partitions", operation_id = "verify_partition", summary = "Fold a partition's log again, and compare every member's stored bytes",
    params(
        ("partition" = u16, Path, description = "The partition"),
    ),
    responses(
        (status = 200, description = "What was compared, and what differs", body = VerifyAnswer),
        (status = 400, description = "There is no such partition, or a parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The log is damaged, or does not reach back to its beginning", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Another partition is being verified; or store or log are away, or go on too fast", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn verify(request: HttpRequest, state: State, turn: web::Data<Turn>) -> Answer {
    Parameters::read(&request, &[])?;
    let partition = partition(&request, state.engine.partition_count())?;
    let Ok(_turn) = turn.0.try_lock() else {
        let detail =
            "another partition is being verified, which takes the reading of its whole log; try again";
        return Err(Problem::new(ProblemKind::StateUnavailable, detail));
    };
    let report = verify_partition(state.engine.ports(), partition, &state.config.fold).await;
    let report = report.map_err(|error| match error {
        VerifyError::Port(_) | VerifyError::Busy(_) => {
            Problem::new(ProblemKind::StateUnavailable, error.to_string())
        }
        broken => Problem::new(ProblemKind::Internal, broken.to_string()),
    })?;
    ok(&VerifyAnswer {
        partition: partition.0,
        position: report.position.0,
        events: report.events,
        rejected: report.rejected,
        members: report.members,
        equal: report.is_equal(),
        mismatches: report.mismatches,
    })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/admin/partitions/{partition}/give-away", tag = "partitions", operation_id = "give_partition_away", summary = "Let another node take a partition",
    params(
        ("partition" = u16, Path, description = "The partition"),
    ),
    responses(
        (status = 202, description = "Another node takes it", body = GivenAwayAnswer),
        (status = 400, description = "There is no such partition, or a parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No other node would take it, or this one does not hold it", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn give_away(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let partition = partition(&request, state.engine.partition_count())?;
    let refused = |error: NotGivenAway| Problem::new(ProblemKind::PartitionStays, error.to_string());
    state.engine.give_away(partition).map_err(refused)?;
    Ok(HttpResponse::Accepted().json(GivenAwayAnswer { partition: partition.0 }))
}

fn partition(request: &HttpRequest, count: u16) -> Result<PartitionId, Problem> {
    let number = request.match_info().query("partition").parse::<u16>().ok().filter(|number| *number < count);
    let wrong =
        || Problem::new(ProblemKind::InvalidId, format!("partitions are 0 to {}", count.saturating_sub(1)));
    number.map(PartitionId).ok_or_else(wrong)
}
