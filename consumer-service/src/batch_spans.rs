//! What traces show of a batch: a span for each event whose trace is recorded, and one
//! for the batch itself, linked with them.

use crate::incoming::{Content, Incoming};
use service_runtime::trace::{Description, KeyValue, Span, SpanKind};
use shared_events::Topic;
use trace_context::TraceParent;

/// The spans of a batch, which end with it.
#[derive(Debug)]
pub struct BatchSpans {
    batch: Span,
    /// Held, so that they last as long.
    _events: Vec<Span>,
    trace: Option<TraceParent>,
    failed_attempts: i64,
}

impl BatchSpans {
    /// Begins those of a batch of a topic.
    pub fn begin(topic: Topic, batch: &[Incoming]) -> Self {
        let events = batch.iter().map(|incoming| processing(topic, incoming));
        let mut events: Vec<Span> = events.filter(Span::is_recorded).collect();
        let batch_span = Span::of_batch(&mut events, || Description {
            name: format!("apply {topic}").into(),
            attributes: vec![
                KeyValue::new("messaging.system", "rabbitmq"),
                KeyValue::new("messaging.destination.name", topic.name()),
                KeyValue::new("messaging.batch.message_count", batch.len() as i64),
            ],
        });
        let first = || batch.iter().find_map(|incoming| incoming.trace);
        let trace = batch_span.context().or_else(first);
        Self { batch: batch_span, _events: events, trace, failed_attempts: 0 }
    }

    /// The trace of the batch; if that has none, that of its first event.
    pub const fn trace(&self) -> Option<TraceParent> {
        self.trace
    }

    /// Notes that the database did not do its part; it is tried again.
    pub fn tried_in_vain(&mut self) {
        self.batch.fail("not applied at once");
        self.failed_attempts += 1;
    }

    /// Ends them: the batch is applied.
    pub fn applied(mut self) {
        if self.failed_attempts > 0 {
            self.batch.set("shop.failed_attempts", self.failed_attempts);
        }
    }
}

/// The span of an event, below its publishing, or below the command that it tells of if
/// it came another way.
fn processing(topic: Topic, incoming: &Incoming) -> Span {
    let Some(trace) = incoming.trace else { return Span::default() };
    let mut span = Span::start(trace, SpanKind::Consumer, || {
        let mut attributes = vec![
            KeyValue::new("messaging.system", "rabbitmq"),
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.operation.name", "process"),
            KeyValue::new("messaging.destination.name", topic.name()),
        ];
        if let Some(id) = incoming.event_id() {
            attributes.push(KeyValue::new("messaging.message.id", id.to_string()));
        }
        if let Some(kind) = incoming.event_type() {
            attributes.push(KeyValue::new("cloudevents.event_type", kind));
        }
        Description { name: format!("process {topic}").into(), attributes }
    });
    if let Content::Unreadable { .. } = incoming.content {
        span.fail("cannot be read, and is parked");
    }
    span
}
