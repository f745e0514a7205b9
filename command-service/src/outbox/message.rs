//! What goes to the broker: AMQP properties and CloudEvents headers.

use super::queue::Pending;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use serde::Deserialize;
use shared_events::Watermark;
use shared_events::topology::PUBLISHER;
use trace_context::TraceParent;

/// AMQP delivery mode of messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// A watermark that nobody fetched for that long is of no use any more. In
/// milliseconds.
const WATERMARK_TTL: &str = "30000";

/// What a stored event says of itself beside its columns.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
    /// When it happened.
    time: Option<String>,
}

impl Context {
    /// Of an event.
    pub fn of(event: &Pending) -> Self {
        #[derive(Deserialize, Default)]
        struct Members<'a> {
            traceparent: Option<&'a str>,
            timestamp: Option<String>,
        }
        let members: Members<'_> = serde_json::from_str(&event.payload).unwrap_or_default();
        let trace = members.traceparent.and_then(TraceParent::parse);
        Self { trace, time: members.timestamp }
    }
}

/// The properties of an event that goes out as part of `trace`, see the AMQP binding of CloudEvents 1.0,
/// <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md>.
pub fn event_properties(
    event: &Pending,
    context: Context,
    trace: Option<TraceParent>,
) -> BasicProperties {
    let time = context.time.unwrap_or_else(|| event.created_at.to_rfc3339());
    let id = event.id.to_string();

    let mut headers = FieldTable::default();
    let mut header = |name: &str, value: &str| {
        headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    };
    header("cloudEvents:specversion", "1.0");
    header("cloudEvents:id", &id);
    header("cloudEvents:source", "/command-service");
    header("cloudEvents:type", &event.event_type);
    header("cloudEvents:time", &time);
    if let Some(trace) = trace {
        header("traceparent", &trace.to_string());
    }
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/json".into())
        .with_message_id(id.into())
        .with_type(event.event_type.as_str().into())
        .with_timestamp(event.created_at.timestamp().unsigned_abs())
        .with_app_id(PUBLISHER.into())
        .with_headers(headers)
}

/// The properties of a watermark: transient, and short-lived.
pub fn watermark_properties() -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_type(Watermark::TYPE.into())
        .with_app_id(PUBLISHER.into())
        .with_expiration(WATERMARK_TTL.into())
}
