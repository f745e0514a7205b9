//! Tracing spans of a batch: one for each event whose trace is recorded, and one for the
//! batch, linked to them.

use crate::decoded_message::{Content, DecodedMessage};
use service_runtime::trace::{KeyValue, Span, SpanBuilder, SpanKind};
use shared_events::Topic;
use trace_context::TraceParent;

/// The spans of a batch, which end with it.
#[derive(Debug)]
pub struct BatchSpans {
    batch: Span,
    _events: Vec<Span>,
    /// The trace of the batch, else of its first event.
    pub trace: Option<TraceParent>,
    failed_attempts: i64,
}

impl BatchSpans {
    /// Begins the spans of a batch.
    pub fn begin(topic: Topic, batch: &[DecodedMessage]) -> Self {
        let events = batch.iter().map(|message| processing(topic, message));
        let mut events: Vec<Span> = events.filter(Span::is_recorded).collect();
        let batch_span = Span::of_batch(&mut events, || {
            SpanBuilder::from_name(format!("apply {topic}")).with_attributes([
                KeyValue::new("messaging.system", "rabbitmq"),
                KeyValue::new("messaging.destination.name", topic.name()),
                KeyValue::new("messaging.batch.message_count", batch.len() as i64),
            ])
        });
        let first = || batch.iter().find_map(|message| message.raw.trace);
        let trace = batch_span.context().or_else(first);
        Self { batch: batch_span, _events: events, trace, failed_attempts: 0 }
    }

    /// Records a failed attempt, which is retried.
    pub fn record_failure(&mut self) {
        self.batch.fail("the first attempt failed");
        self.failed_attempts += 1;
    }

    /// Ends the spans after the batch is applied.
    pub fn applied(mut self) {
        if self.failed_attempts > 0 {
            self.batch.set("shop.failed_attempts", self.failed_attempts);
        }
    }
}

/// The span of an event, a child of the span that published it, else of the command.
fn processing(topic: Topic, message: &DecodedMessage) -> Span {
    let Some(trace) = message.raw.trace else { return Span::default() };
    let mut span = Span::start(trace, || {
        let mut attributes = vec![
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.destination.name", topic.name()),
        ];
        if let Some(id) = message.event_id() {
            attributes.push(KeyValue::new("messaging.message.id", id.to_string()));
        }
        if let Some(kind) = message.event_type() {
            attributes.push(KeyValue::new("cloudevents.event_type", kind));
        }
        let builder = SpanBuilder::from_name(format!("process {topic}"));
        builder.with_kind(SpanKind::Consumer).with_attributes(attributes)
    });
    if let Content::Unreadable { .. } = message.content {
        span.fail("unreadable, stored as a dead letter");
    }
    span
}
