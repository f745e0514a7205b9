//! The current trace, and the spans of sampled traces.
//!
//! Every request and every event belongs to a trace, recorded or not. Log lines, responses
//! and events contain its id. Spans are recorded only if
//! [`trace_export`](crate::trace_export) sends them to a collector and the sampled flag of
//! the trace is set. Any other [`Span`] is empty and costs nothing.

use axum::http::HeaderValue;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, Status, TraceContextExt, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, SpanId, TraceId, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span as Recording};
use std::sync::OnceLock;
use tokio::task::JoinHandle;
use trace_context::TraceParent;

pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::{SpanBuilder, SpanKind};

/// Creates spans; unset if no collector is configured.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    /// The trace, and the id of the request if there is one.
    static CURRENT: (TraceParent, Option<HeaderValue>);
}

/// Sets the tracer that creates spans from now on.
pub(crate) fn install(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// The current trace; none outside of requests and events.
pub fn current() -> Option<TraceParent> {
    CURRENT.try_with(|(trace, _)| *trace).ok()
}

/// The id of the current request, for log lines; none outside of requests. Plain ASCII.
pub fn request_id() -> Option<HeaderValue> {
    CURRENT.try_with(|(_, id)| id.clone()).ok().flatten()
}

/// Runs asynchronous work with `trace` as the current trace and the id of its request.
pub fn scope<F: Future>(
    trace: TraceParent,
    request_id: Option<HeaderValue>,
    work: F,
) -> impl Future<Output = F::Output> {
    CURRENT.scope((trace, request_id), work)
}

/// Runs synchronous work with `trace`, if any, as the current trace.
pub fn with<T>(trace: Option<TraceParent>, work: impl FnOnce() -> T) -> T {
    match trace {
        Some(trace) => CURRENT.sync_scope((trace, request_id()), work),
        None => work(),
    }
}

/// Spawns a task with the current trace and request id.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match CURRENT.try_with(Clone::clone) {
        Ok(current) => tokio::spawn(CURRENT.scope(current, work)),
        Err(_) => tokio::spawn(work),
    }
}

/// A span of a trace, from its creation until it is dropped. Empty if the trace is not
/// recorded. Its name contains no client data, so that there are few different names; its
/// attributes have names of OpenTelemetry's semantic conventions where these define one.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Recording>>);

impl Span {
    /// Starts a child span of `parent`; empty if that trace is not recorded.
    pub fn start(parent: TraceParent, describe: impl FnOnce() -> SpanBuilder) -> Self {
        let tracer = TRACER.get().filter(|_| parent.is_sampled());
        tracer.map(|tracer| start(tracer, describe(), Some(parent)).0).unwrap_or_default()
    }

    /// Starts the span of a request, and returns it with its trace: the client's or a new
    /// one. The sampler decides whether the trace is recorded.
    pub fn of_request(
        client: Option<TraceParent>,
        describe: impl FnOnce() -> SpanBuilder,
    ) -> (Self, TraceParent) {
        let trace = || client.unwrap_or_else(TraceParent::generate);
        let Some(tracer) = TRACER.get() else { return (Self::default(), trace()) };
        let (span, context) = start(tracer, describe(), client);
        (span, context.unwrap_or_else(trace))
    }

    /// Starts a new trace for work that serves several spans at once. It is recorded if one
    /// of them is. Each span links to it, and it links to the spans up to the SDK's limit of
    /// links.
    pub fn of_batch(spans: &mut [Self], describe: impl FnOnce() -> SpanBuilder) -> Self {
        let Some(tracer) = TRACER.get() else { return Self::default() };
        let link = |trace| Link::with_context(span_context(trace));
        let links: Vec<Link> = spans.iter().filter_map(Self::context).map(link).collect();
        if links.is_empty() {
            return Self::default();
        }
        let (batch, context) = start(tracer, describe().with_links(links), None);
        if let Some(context) = context {
            spans.iter_mut().for_each(|span| span.link(context));
        }
        batch
    }

    /// Whether the span is recorded.
    pub const fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// The trace context with this span as the parent; none if it is not recorded.
    pub fn context(&self) -> Option<TraceParent> {
        self.0.as_ref().and_then(|span| trace_parent(span.span_context()))
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Marks the span as failed. Not for client errors.
    pub fn fail(&mut self, reason: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(reason));
        }
    }

    /// Links the span to a span of another trace.
    pub fn link(&mut self, other: TraceParent) {
        if let Some(span) = &mut self.0 {
            span.add_link(span_context(other), Vec::new());
        }
    }
}

/// Starts a span, which is empty if the sampler does not record it, and returns it with its
/// context. The context is none only after the SDK has been shut down.
fn start(
    tracer: &SdkTracer,
    builder: SpanBuilder,
    parent: Option<TraceParent>,
) -> (Span, Option<TraceParent>) {
    let parent = parent.map(|parent| Context::new().with_remote_span_context(span_context(parent)));
    let span = tracer.build_with_context(builder, &parent.unwrap_or_default());
    let context = trace_parent(span.span_context());
    let is_recorded = span.is_recording() && span.span_context().is_sampled();
    (Span(is_recorded.then(|| Box::new(span))), context)
}

fn span_context(trace: TraceParent) -> SpanContext {
    SpanContext::new(
        TraceId::from(trace.trace_id()),
        SpanId::from(trace.parent_id()),
        TraceFlags::new(trace.flags()),
        true,
        TraceState::NONE,
    )
}

/// None if the context is invalid.
fn trace_parent(context: &SpanContext) -> Option<TraceParent> {
    let trace = u128::from_be_bytes(context.trace_id().to_bytes());
    let span = u64::from_be_bytes(context.span_id().to_bytes());
    let flags = context.trace_flags().to_u8();
    context.is_valid().then(|| TraceParent::new(trace, span, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(flags: u8) -> TraceParent {
        TraceParent::new(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, flags)
    }

    #[test]
    fn a_trace_parent_survives_conversion_to_a_span_context_and_back() {
        for flags in [0, 1, 3] {
            let trace = trace(flags);
            assert_eq!(trace_parent(&span_context(trace)), Some(trace));
        }
        assert_eq!(trace_parent(&SpanContext::empty_context()), None);
    }

    #[test]
    fn without_a_tracer_no_span_is_recorded() {
        let describe = || -> SpanBuilder { panic!("unused") };
        let mut spans = [Span::start(trace(1), describe)];
        assert!(!Span::of_batch(&mut spans, describe).is_recorded());
        let (span, context) = Span::of_request(Some(trace(1)), describe);
        assert!(!span.is_recorded() && context == trace(1));
        assert_ne!(Span::of_request(None, describe).1, Span::of_request(None, describe).1);
    }

    #[tokio::test]
    async fn a_spawned_task_belongs_to_the_trace_of_its_parent() {
        assert_eq!(current(), None);
        let spawned = scope(trace(0), None, async { spawn(async { current() }).await.unwrap() });
        assert_eq!(spawned.await, Some(trace(0)));
        assert_eq!(with(Some(trace(1)), current), Some(trace(1)));
    }
}
