//! Nodes, the configuration as it is in effect, and what the doctor says here.

#[cfg(feature = "openapi")]
use super::problem::Problem;
use super::query::Parameters;
use super::state::{Answer, ApiState, State, ok};
use actix_web::HttpRequest;
#[cfg(feature = "openapi")]
use nearline_api::operators::shapes::{ConfigurationDocument, FindingDocument};
use nearline_api::operators::{NodesDocument, SumsDocument};
use nearline_model::control::ownership::SumsRole;
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys whose values are URLs that may hold a password.
const URLS: [&str; 2] = ["/nats/url", "/redis/url"];

/// `GET /admin/nodes`: this node, who owns how many partitions, what the node does for its sums over all members, and up to
/// which position of each partition they reflect it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/nodes", tag = "nodes", operation_id = "read_nodes", summary = "Who owns how many partitions, and what this node does for the sums",
    responses(
        (status = 200, description = "As this node sees it", body = NodesDocument),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn nodes(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&document(&state))
}

/// How the nodes stand, as this one sees it.
pub(super) fn document(state: &ApiState) -> NodesDocument {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for partition in state.engine.partitions() {
        let owner = partition.owner.map_or_else(|| "nobody".to_owned(), |owner| owner.to_string());
        *owners.entry(owner).or_default() += 1;
    }
    let status = state.engine.node_status();
    let role = match status.sums_role {
        SumsRole::Follows => "follows",
        SumsRole::Adds => "adds",
        SumsRole::Keeps => "keeps",
    };
    let positions = state.engine.sums_positions().into_iter().map(|position| position.0).collect();
    NodesDocument {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        settled: status.settled,
        others: status.others,
        held: status.held,
        owners,
        sums: SumsDocument { role: role.to_owned(), positions },
    }
}

/// `GET /admin/configuration`: every key as it is in effect, without what is secret.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/configuration", tag = "nodes", operation_id = "read_configuration", summary = "The configuration in effect, passwords hidden",
    responses(
        (status = 200, description = "Keys by section", body = ConfigurationDocument),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn configuration(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    let mut config = serde_json::to_value(&*state.config).unwrap_or_default();
    for (pointer, shown) in URLS.into_iter().zip([&state.config.nats.url, &state.config.redis.url]) {
        if let Some(url) = config.pointer_mut(pointer) {
            *url = Value::String(shown.to_string());
        }
    }
    ok(&config)
}

/// `GET /admin/doctor`: what `nearline doctor` would say on this node.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/doctor", tag = "nodes", operation_id = "examine_node", summary = "What `nearline doctor` says on this node",
    responses(
        (status = 200, description = "What was examined, and what to do", body = Vec<FindingDocument>),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn doctor(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&crate::doctor::examine(&state.config, state.now_ms()).await)
}
