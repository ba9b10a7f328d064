//! Nodes, the configuration as it is in effect, and what the doctor says here.

use super::query::Parameters;
use super::state::{Answer, ApiState, State, ok};
use actix_web::HttpRequest;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Keys whose values are URLs that may hold a password.
const URLS: [&str; 2] = ["/nats/url", "/redis/url"];

/// `GET /admin/nodes`: this node, who owns how many partitions, what the node does for its sums over all members, and up to
/// which position of each partition they reflect it.
pub(super) async fn nodes(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&document(&state))
}

/// How the nodes stand, as this one sees it.
pub(super) fn document(state: &ApiState) -> Value {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for partition in state.engine.partitions() {
        let owner = partition.owner.map_or_else(|| "nobody".to_owned(), |owner| owner.to_string());
        *owners.entry(owner).or_default() += 1;
    }
    let status = state.engine.node_status();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "settled": status.settled,
        "others": status.others,
        "held": status.held,
        "owners": owners,
        "sums": { "role": status.sums_role, "positions": state.engine.sums_positions() },
    })
}

/// `GET /admin/configuration`: every key as it is in effect, without what is secret.
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
pub(super) async fn doctor(request: HttpRequest, state: State) -> Answer {
    Parameters::read(&request, &[])?;
    ok(&crate::doctor::examine(&state.config, state.now_ms()).await)
}
