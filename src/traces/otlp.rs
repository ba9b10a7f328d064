//! Spans to a collector: OTLP over HTTP, by the client that calls other nodes of Nearline, too.

use super::{Lots, TracesError};
use async_trait::async_trait;
use nearline_api::caller;
use nearline_config::Config;
use nearline_ports::trace::{Finished, Kind, TraceContext, Tracer, Value};
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use std::sync::Arc;
use std::time::Duration;

/// Time that one request to the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Spans that wait to be sent at most: what comes on top is dropped.
const QUEUE: usize = 8_192;
/// Longest time that a span waits to be sent.
const DELAY: Duration = Duration::from_secs(1);
/// Path of the collector that takes traces.
const PATH: &str = "/v1/traces";

pub(super) fn open(config: &Config, lots: Arc<Lots>) -> Result<Otlp, TracesError> {
    let endpoint = &config.telemetry.endpoint;
    let wrong = |error: &dyn std::fmt::Display| TracesError::Endpoint(endpoint.clone(), error.to_string());
    let base = endpoint.trim_end_matches('/');
    let url = if base.ends_with(PATH) { base.to_owned() } else { format!("{base}{PATH}") };
    let agent = caller::agent(&url, PATIENCE, None).map_err(|error| wrong(&error))?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url)
        .with_timeout(PATIENCE)
        .with_http_client(Client { agent })
        .build()
        .map_err(|error| wrong(&error))?;
    let batches =
        BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_scheduled_delay(DELAY).build();
    let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    processor.set_resource(&resource(config));
    let scope = InstrumentationScope::builder("nearline").with_version(env!("CARGO_PKG_VERSION")).build();
    Ok(Otlp { processor, scope, lots })
}

/// Which node of which service tells.
fn resource(config: &Config) -> Resource {
    let named = Resource::builder().with_service_name("nearline");
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let node = config.engine_settings().node.to_string();
    named.with_attributes([version, KeyValue::new("service.instance.id", node)]).build()
}

pub(super) struct Otlp {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
    lots: Arc<Lots>,
}

impl Tracer for Otlp {
    fn samples(&self) -> bool {
        self.lots.draw()
    }

    fn draw(&self) -> u128 {
        rand::random::<u128>() | 1
    }

    fn take(&self, span: Finished) {
        self.processor.on_end(data(span, self.scope.clone()));
    }

    fn flush(&self) {
        // What cannot be sent is counted by the client.
        let _sent = self.processor.force_flush();
    }
}

fn data(span: Finished, scope: InstrumentationScope) -> SpanData {
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(|link| Link::new(context(link), Vec::new(), 0)).collect();
    links.dropped_count = span.links_left_out as u32;
    SpanData {
        span_context: context(&span.context),
        parent_span_id: span
            .parent
            .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_be_bytes())),
        parent_span_is_remote: matches!(span.kind, Kind::Server | Kind::Consumer) && span.parent.is_some(),
        span_kind: match span.kind {
            Kind::Server => SpanKind::Server,
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Internal => SpanKind::Internal,
        },
        name: span.name,
        start_time: span.time.0,
        end_time: span.time.1,
        attributes: span.attributes.into_iter().map(attribute).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.failure.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

fn context(of: &TraceContext) -> SpanContext {
    let (trace, span) =
        (TraceId::from_bytes(of.trace.to_be_bytes()), SpanId::from_bytes(of.span.to_be_bytes()));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default())
}

fn attribute((key, value): (&'static str, Value)) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(key, text),
        Value::Number(number) => KeyValue::new(key, number),
    }
}

/// Called by the thread that sends spans, and by no other.
#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answered = self.agent.run(request.map(|body| body.to_vec()));
        let answered = answered.map_err(HttpError::from).and_then(|response| {
            let (parts, mut body) = response.into_parts();
            Ok(Response::from_parts(parts, Bytes::from(body.read_to_vec()?)))
        });
        if answered.as_ref().map_or(true, |response| !response.status().is_success()) {
            metrics::counter!("nearline_trace_export_failures_total").increment(1);
            tracing::debug!(answer = ?answered.as_ref().map(Response::status), "spans were not taken");
        }
        answered
    }
}
