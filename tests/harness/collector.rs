//! An OpenTelemetry collector in the test process.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A collector that stores the spans it receives. It stops when dropped.
#[derive(Debug)]
pub struct Collector {
    /// Its URL, for the settings of services.
    pub endpoint: String,
    spans: Arc<Mutex<Vec<Span>>>,
    _serving: AbortOnDropHandle<()>,
}

/// A received span.
#[derive(Clone, Debug)]
pub struct Span {
    /// `service.name` of its resource.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its kind in lower case, such as `internal`.
    pub kind: String,
    /// Trace id. This and the other ids are in hexadecimal.
    pub trace: String,
    /// Span id.
    pub id: String,
    /// Id of the parent span; empty for a root span.
    pub parent: String,
    /// Ids of linked spans.
    pub links: Vec<String>,
    /// Attributes; numbers as text.
    pub attributes: BTreeMap<String, String>,
    /// Whether its status is an error.
    pub is_error: bool,
    /// Start time in nanoseconds.
    pub start: u64,
}

impl Collector {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let spans = Arc::default();
        let routes =
            Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&spans));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { endpoint, spans, _serving: AbortOnDropHandle::new(serving) }
    }

    /// All spans received so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// The received spans of a trace.
    pub fn of_trace(&self, trace: &str) -> Vec<Span> {
        self.spans().into_iter().filter(|span| span.trace == trace).collect()
    }
}

async fn receive(State(spans): State<Arc<Mutex<Vec<Span>>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap().attributes);
        let service = &resource["service.name"];
        let sent = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.lock().unwrap().extend(sent.map(|span| {
            Span {
                service: service.clone(),
                kind: SpanKind::try_from(span.kind).unwrap().as_str_name()["SPAN_KIND_".len()..]
                    .to_lowercase(),
                is_error: span.status.is_some_and(|status| status.code == 2),
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                attributes: attributes(span.attributes),
                name: span.name,
                start: span.start_time_unix_nano,
            }
        }));
    }
}

fn attributes(sent: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    sent.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
