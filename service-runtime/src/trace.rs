//! Traces: to which one the work at hand belongs, and the spans of those that are
//! recorded.
//!
//! Every request and every event belongs to a trace, recorded or not; its id stands in
//! log lines, answers and events. Spans are made only while they are exported (see
//! [`trace_export`](crate::trace_export)), and only of traces whose sampled flag is
//! set. Any other [`Span`] is nothing, and costs nothing.

use crate::request_id;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, Status, TraceContextExt, TraceFlags, TraceState,
    Tracer,
};
use opentelemetry::{Context, SpanId, TraceId, Value};
use opentelemetry_sdk::trace::{SdkTracer, Span as Recording};
use std::borrow::Cow;
use std::sync::OnceLock;
use tokio::task::JoinHandle;
use trace_context::TraceParent;

pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::SpanKind;

/// Makes the spans, once they are exported.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

tokio::task_local! {
    static CURRENT: TraceParent;
}

/// Has spans made from now on.
pub(crate) fn install(tracer: SdkTracer) {
    let _ = TRACER.set(tracer);
}

/// The trace of the work at hand; none if it belongs to none.
pub fn current() -> Option<TraceParent> {
    CURRENT.try_with(|trace| *trace).ok()
}

/// Does work that belongs to a trace.
pub fn scope<F: Future>(trace: TraceParent, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(trace, work)
}

/// Does something short that belongs to a trace, if there is one.
pub fn with<T>(trace: Option<TraceParent>, work: impl FnOnce() -> T) -> T {
    match trace {
        Some(trace) => CURRENT.sync_scope(trace, work),
        None => work(),
    }
}

/// Spawns a task that belongs to the current trace and request.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let work = request_id::scope(request_id::current(), work);
    match current() {
        Some(trace) => tokio::spawn(CURRENT.scope(trace, work)),
        None => tokio::spawn(work),
    }
}

/// A piece of work in a trace, from its start until it is dropped; nothing if the trace
/// is not recorded.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Recording>>);

/// What a span is called, and what is known of it from the start.
#[derive(Debug)]
pub struct Description {
    /// Its name. Of few values: nothing of a client's is in it.
    pub name: Cow<'static, str>,
    /// Named as the semantic conventions of OpenTelemetry have it, where they do.
    pub attributes: Vec<KeyValue>,
}

impl Description {
    /// A name and nothing else.
    pub const fn named(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), attributes: Vec::new() }
    }
}

impl Span {
    /// Starts a span below `parent`, if that trace is recorded.
    pub fn start(
        parent: TraceParent,
        kind: SpanKind,
        describe: impl FnOnce() -> Description,
    ) -> Self {
        let Some(tracer) = TRACER.get().filter(|_| parent.is_sampled()) else {
            return Self::default();
        };
        let (span, _) = start(tracer, kind, describe(), Some(parent), Vec::new());
        span
    }

    /// Starts the span of a request and gives the trace that it belongs to: the
    /// client's, or a new one. Whether that is recorded is for the sampler to say.
    pub fn of_request(
        client: Option<TraceParent>,
        describe: impl FnOnce() -> Description,
    ) -> (Self, TraceParent) {
        let trace = || client.unwrap_or_else(TraceParent::generate);
        let Some(tracer) = TRACER.get() else { return (Self::default(), trace()) };
        let (span, context) = start(tracer, SpanKind::Server, describe(), client, Vec::new());
        (span, context.unwrap_or_else(trace))
    }

    /// Starts a trace of its own for what is done for several spans at once; it is
    /// recorded if they are. They are linked with it, and it with as many of them as
    /// may be.
    pub fn of_batch(spans: &mut [Self], describe: impl FnOnce() -> Description) -> Self {
        let Some(tracer) = TRACER.get() else { return Self::default() };
        let links: Vec<Link> = spans.iter().filter_map(Self::context).map(link).collect();
        if links.is_empty() {
            return Self::default();
        }
        let (batch, context) = start(tracer, SpanKind::Internal, describe(), None, links);
        if let Some(context) = context {
            spans.iter_mut().for_each(|span| span.link(context));
        }
        batch
    }

    /// Whether there is one.
    pub const fn is_recorded(&self) -> bool {
        self.0.is_some()
    }

    /// The trace, with this span as the cause of what follows.
    pub fn context(&self) -> Option<TraceParent> {
        self.0.as_ref().and_then(|span| trace_parent(span.span_context()))
    }

    /// Adds what has become known.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Says that it came to nothing, by no fault of a client's.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(why));
        }
    }

    /// Refers to a span of another trace.
    pub fn link(&mut self, other: TraceParent) {
        if let Some(span) = &mut self.0 {
            span.add_link(span_context(other), Vec::new());
        }
    }
}

/// Starts a span if the sampler agrees; gives its context either way, if the SDK is
/// not shut down.
fn start(
    tracer: &SdkTracer,
    kind: SpanKind,
    Description { name, attributes }: Description,
    parent: Option<TraceParent>,
    links: Vec<Link>,
) -> (Span, Option<TraceParent>) {
    let context = Context::new();
    let context = match parent {
        Some(parent) => context.with_remote_span_context(span_context(parent)),
        None => context,
    };
    let builder =
        SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes).with_links(links);
    let span = tracer.build_with_context(builder, &context);
    let context = trace_parent(span.span_context());
    let is_recorded = span.is_recording() && span.span_context().is_sampled();
    (Span(is_recorded.then(|| Box::new(span))), context)
}

fn link(trace: TraceParent) -> Link {
    Link::with_context(span_context(trace))
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

/// None of one that is not valid.
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
    fn contexts_are_the_same_either_way() {
        for flags in [0, 1, 3] {
            let trace = trace(flags);
            assert_eq!(trace_parent(&span_context(trace)), Some(trace));
        }
        assert_eq!(trace_parent(&SpanContext::empty_context()), None);
    }

    #[test]
    fn without_an_exporter_nothing_is_described() {
        let describe = || -> Description { panic!("described") };
        let mut spans = [Span::start(trace(1), SpanKind::Internal, describe)];
        assert!(!Span::of_batch(&mut spans, describe).is_recorded());
        let (span, of_client) = Span::of_request(Some(trace(1)), describe);
        assert!(!span.is_recorded() && of_client == trace(1));
        assert_ne!(Span::of_request(None, describe).1, Span::of_request(None, describe).1);
    }

    #[tokio::test]
    async fn a_spawned_task_belongs_to_the_trace_of_its_parent() {
        assert_eq!(current(), None);
        let spawned = scope(trace(0), async { spawn(async { current() }).await.unwrap() });
        assert_eq!(spawned.await, Some(trace(0)));
        assert_eq!(with(Some(trace(1)), current), Some(trace(1)));
    }
}
