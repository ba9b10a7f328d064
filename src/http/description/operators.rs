//! The operators' routes as their handlers have them.

use super::strict::{also, ask_for_key, bearer, problem};
use crate::http::operator_routes::operator_routes;
use crate::http::overview::Overview;
use nearline_api::operators::NodesDocument;
use nearline_api::operators::shapes::{
    LettersChange, PartitionDocument, RemediationDocument, SnapshotDocument,
};
use serde_json::{Value, json};
use utoipa::openapi::OpenApi as Description;
use utoipa::{Modify, OpenApi, ToSchema};

/// Events of `GET /admin/stream` by name: the document of each.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a shape for the description; nothing of it is made")]
struct StreamEvents {
    overview: Overview,
    nodes: NodesDocument,
    partitions: Vec<PartitionDocument>,
    remediations: Vec<RemediationDocument>,
    dead_letters: LettersChange,
    snapshot: SnapshotDocument,
}

#[derive(OpenApi)]
#[openapi(
    modifiers(&Door),
    info(
        title = "Nearline, for operators",
        description = "What the operators' listener answers besides `/v1`, which it mounts as well.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "health", description = "Probes and metrics"),
        (name = "nodes", description = "How this node does, and who did what on it"),
        (name = "partitions", description = "Where partitions stand"),
        (name = "remediations", description = "Faults, and what was done about them"),
        (name = "dead letters", description = "Events that were refused"),
        (name = "log", description = "The log and the stream of facts, for an archiver"),
        (name = "session", description = "The console's key"),
        (name = "members", description = "As under `/v1`, for keys of operators"),
        (name = "chaos", description = "Faults on purpose, where `chaos.enabled` is set"),
        (name = "description", description = "This document"),
    ),
    paths(
        crate::http::admin::live,
        crate::http::admin::ready,
        crate::http::admin::metrics_text,
        crate::http::openapi::read_operators,
        crate::http::admin::overview,
        crate::http::admin_stream::open,
        crate::http::admin::partitions,
        crate::http::admin_partition::verify,
        crate::http::admin_partition::give_away,
        crate::http::admin::remediations,
        crate::http::admin_nodes::nodes,
        crate::http::admin_nodes::configuration,
        crate::http::admin_nodes::doctor,
        crate::http::admin::ranking,
        crate::http::audit::list,
        crate::http::admin_dead_letters::list,
        crate::http::admin_dead_letters::show,
        crate::http::admin_dead_letters::remove,
        crate::http::admin_dead_letters::publish_again,
        crate::http::admin_log::holdings,
        crate::http::admin_log::records,
        crate::http::admin_log::record,
        crate::http::admin_log::facts,
        crate::http::keyed::standing,
        crate::http::keyed::begin,
        crate::http::keyed::end,
        crate::http::admin_chaos::panic,
        crate::http::admin_chaos::hang,
        crate::http::admin_chaos::poison,
        crate::http::admin_chaos::clear_poison,
        crate::http::admin_chaos::stall_reader,
    ),
    components(schemas(crate::http::problem::Problem, StreamEvents))
)]
struct Operators;

/// The document.
pub(super) fn document() -> Description {
    Operators::openapi()
}

/// Routes that are those of `/v1`, under another path.
const MEMBERS: [(&str, &str); 2] = [
    ("/admin/members/{id}", "/v1/members/{id}"),
    ("/admin/members/{id}/recommendations", "/v1/members/{id}/recommendations"),
];

/// What is said at the door of the listener, and routes that it has from `/v1`.
struct Door;

impl Modify for Door {
    fn modify(&self, openapi: &mut Description) {
        let mut document = serde_json::to_value(&*openapi).expect("a document is JSON");
        let public = serde_json::to_value(super::document()).expect("a document is JSON");
        for (path, of) in MEMBERS {
            let mut operation = public["paths"][of]["get"].clone();
            let id = operation["operationId"].as_str().unwrap_or_default();
            operation["operationId"] = format!("{id}_as_operator").into();
            take_schemas(&mut document, &public, &operation);
            document["paths"][path] = json!({ "get": operation });
        }
        for route in operator_routes() {
            let method = route.method.as_str().to_lowercase();
            let operation = &mut document["paths"][route.path][method];
            if let Some(needs) = route.needs() {
                ask_for_key(operation, &[needs]);
            }
            let responses = operation["responses"].as_object_mut().expect("responses");
            responses.insert("421".into(), problem("The host is none of this listener's"));
            if !route.method.is_safe() {
                also(responses, "403", "A page of another site asks for this");
                responses.insert("415".into(), problem("A body that is no JSON"));
            }
            let bytes = responses
                .get_mut("200")
                .and_then(|found| found.pointer_mut("/content/application~1octet-stream"));
            if let Some(bytes) = bytes {
                bytes["schema"] = json!({ "type": "string", "format": "binary" });
            }
            if route.is_fault {
                responses.insert("404".into(), problem("Faults may not be made here"));
            }
        }
        let schemas = &mut document["components"]["schemas"];
        schemas["ConfigurationDocument"]["additionalProperties"] = true.into();
        let closed = ["PartitionFault", "HangFault", "PoisonFault", "SessionRequest"];
        for schema in closed {
            schemas[schema]["additionalProperties"] = false.into();
        }
        document["components"]["securitySchemes"] = bearer(
            "`nearline key new --scope admin` makes keys; those of scope `view` look and change nothing",
        );
        *openapi = serde_json::from_value(document).expect("only known keywords were added");
    }
}

/// Copies what `part` of another document refers to.
fn take_schemas(document: &mut Value, other: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str);
            if let Some(name) = name.and_then(|name| name.strip_prefix("#/components/schemas/"))
                && document["components"]["schemas"][name].is_null()
            {
                let schema = &other["components"]["schemas"][name];
                document["components"]["schemas"][name] = schema.clone();
                take_schemas(document, other, schema);
            }
            fields.values().for_each(|field| take_schemas(document, other, field));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| take_schemas(document, other, entry)),
        _ => {}
    }
}
