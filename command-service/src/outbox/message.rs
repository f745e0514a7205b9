//! AMQP properties and CloudEvents headers of messages.

use super::queue::Pending;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use serde::Deserialize;
use shared_events::Watermark;
use shared_events::topology::PUBLISHER;
use trace_context::TraceParent;

/// AMQP delivery mode of messages that the broker stores on disk.
const PERSISTENT: u8 = 2;

/// Time after which a watermark expires in its queue, in milliseconds.
const WATERMARK_TTL: &str = "30000";

/// Properties of a stored event that have no column.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Trace context of the command.
    pub trace: Option<TraceParent>,
    /// Time of the event.
    time: Option<String>,
}

impl Context {
    /// Reads the properties from the payload.
    pub fn of(event: &Pending) -> Self {
        #[derive(Deserialize, Default)]
        struct Properties<'a> {
            traceparent: Option<&'a str>,
            timestamp: Option<String>,
        }
        let properties: Properties<'_> = serde_json::from_str(&event.payload).unwrap_or_default();
        let trace = properties.traceparent.and_then(TraceParent::parse);
        Self { trace, time: properties.timestamp }
    }
}

/// The properties of an event that is sent in `trace`; see the AMQP binding of CloudEvents 1.0,
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

/// The properties of a watermark: not persistent, with an expiration.
pub fn watermark_properties() -> BasicProperties {
    BasicProperties::default()
        .with_content_type("application/json".into())
        .with_type(Watermark::TYPE.into())
        .with_app_id(PUBLISHER.into())
        .with_expiration(WATERMARK_TTL.into())
}
