//! Who did what on the operators' listener: kept in order, bounded, and in a file where one is named.

mod file;

#[cfg(feature = "openapi")]
use super::problem::Problem;
use super::query::Parameters;
use super::state::{Answer, State, ok};
use crate::keys::Caller;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};
use file::AuditFile;
use nearline_config::AdminSection;
use nearline_model::timestamp::format_rfc3339;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Instant;

/// Entries in memory.
const KEPT: usize = 1_000;
/// Entries of one answer, if the caller does not say.
const DEFAULT_ENTRIES: usize = 100;

/// One action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = AuditEntry))]
pub(super) struct Entry {
    /// When, RFC 3339.
    at: String,
    /// Name of the key; none where no keys are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    who: Option<String>,
    /// Address that it came from.
    from: String,
    /// Method and path.
    what: String,
    /// More of what, where the path does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    detail: Option<String>,
    /// Status of the answer: what came of it.
    outcome: u16,
    /// Milliseconds until the answer.
    took_ms: u64,
}

/// Marks a request as one that changes something, as an extension of it, by the route that it took.
pub(super) struct Changes;

/// What a handler adds to its entry, as an extension of its response.
pub(super) struct Detail(pub String);

/// The log.
pub(super) struct AuditLog {
    newest: Mutex<VecDeque<Entry>>,
    file: Option<Mutex<AuditFile>>,
}

impl AuditLog {
    /// Goes on with what the file has, where one is named.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub(super) fn open(section: &AdminSection) -> std::io::Result<Self> {
        if section.audit_file.is_empty() {
            return Ok(Self { newest: Mutex::default(), file: None });
        }
        let (file, lines) = AuditFile::open(section.audit_file.as_ref(), section.audit_bytes)?;
        let known = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        let mut newest: VecDeque<Entry> = known.collect();
        newest.drain(..newest.len().saturating_sub(KEPT));
        Ok(Self { newest: Mutex::new(newest), file: Some(Mutex::new(file)) })
    }

    fn note(&self, entry: Entry) {
        let Entry { who, from, what, detail, outcome, .. } = &entry;
        tracing::info!(event = "audit", ?who, %from, %what, ?detail, outcome, "an operator's action");
        if let Some(file) = &self.file {
            let line = serde_json::to_string(&entry).unwrap_or_default();
            if let Err(error) = file.lock().append(&line) {
                metrics::counter!("nearline_audit_failures_total").increment(1);
                tracing::error!(%error, "an action is in this log and in memory, not in admin.audit_file");
            }
        }
        let mut newest = self.newest.lock();
        if newest.len() == KEPT {
            newest.pop_front();
        }
        newest.push_back(entry);
    }
}

/// Notes what changes something, once it is answered. Who is turned away for a key is counted, not noted: strangers could push
/// out what was done.
pub(super) async fn note(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let log = request.app_data::<web::Data<AuditLog>>().cloned();
    let state = request.app_data::<State>().cloned();
    let (false, Some(log), Some(state)) = (request.method().is_safe(), log, state) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let (began, at_ms) = (Instant::now(), state.now_ms());
    let what = format!("{} {}", request.method(), request.path());
    let from = request.peer_addr().map_or_else(String::new, |address| address.ip().to_string());
    let response = next.call(request).await?.map_into_boxed_body();
    let changes = response.request().extensions().contains::<Changes>();
    let caller = response.request().extensions().get::<Caller>().cloned();
    if let Some(Caller(who)) = caller.filter(|_| changes) {
        let detail = response.response().extensions().get::<Detail>().map(|detail| detail.0.clone());
        log.note(Entry {
            at: format_rfc3339(at_ms),
            who: who.map(|who| who.to_string()),
            from,
            what,
            detail,
            outcome: response.status().as_u16(),
            took_ms: began.elapsed().as_millis() as u64,
        });
    }
    Ok(response)
}

/// `GET /admin/audit`: the newest first.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/admin/audit", tag = "nodes", operation_id = "list_actions", summary = "Who did what on this listener",
    params(
        ("limit" = Option<usize>, Query, description = "Entries at most (default 100)", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "Newest first", body = Vec<Entry>),
        (status = 400, description = "A parameter is not known, or not possible", body = Problem, content_type = "application/problem+json"),
    )
))]
pub(super) async fn list(request: HttpRequest, log: web::Data<AuditLog>) -> Answer {
    let limit = Parameters::read(&request, &["limit"])?.limit(DEFAULT_ENTRIES, KEPT)?;
    let newest: Vec<Entry> = log.newest.lock().iter().rev().take(limit).cloned().collect();
    ok(&newest)
}
