//! `GET /v1/experiments` and `/v1/experiments/{name}`: which variants there are, and how they do.

use super::problem::{Problem, ProblemKind};
use super::query::Parameters;
use super::state::{Answer, ApiState, State, ok};
use actix_web::HttpRequest;
use nearline_api::experiments::{ExperimentDocument, ExperimentsAnswer};

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/experiments", tag = "experiments", operation_id = "list_experiments", summary = "All experiments and how they do",
    responses(
        (status = 200, description = "In the order of the configuration", body = ExperimentsAnswer),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn list(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&ExperimentsAnswer { experiments: documents(&state) })
}

#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/experiments/{name}", tag = "experiments", operation_id = "read_experiment", summary = "How an experiment does",
    params(("name" = String, Path, description = "The experiment")),
    responses(
        (status = 200, description = "Its variants beside the control", body = ExperimentDocument),
        (status = 400, description = "A parameter is not known", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such experiment", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn read(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let name = request.match_info().query("name");
    let mut known = documents(&state);
    if let Some(at) = known.iter().position(|experiment| experiment.name == name) {
        return ok(&known.swap_remove(at));
    }
    let known: Vec<&str> = known.iter().map(|experiment| experiment.name.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let shown: String = name.chars().take(64).collect();
    let detail = format!("{shown:?} is not configured; experiments there are: {known}");
    Err(Problem::new(ProblemKind::ExperimentNotFound, detail))
}

fn documents(state: &ApiState) -> Vec<ExperimentDocument> {
    let experiments = state.engine.experiments().into_iter();
    experiments
        .map(|(experiment, definition, results)| {
            ExperimentDocument::new(&experiment, definition, results, &state.config.ranking)
        })
        .collect()
}
