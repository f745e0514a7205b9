//! The properties of a message besides its body.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Namespace of event ids derived from texts that are not UUIDs.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_9a52_7c41_5b0e_9d6a_3e2b_8c70_4f15);

/// The queue and the AMQP properties of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// The queue of the message.
    pub queue: &'a str,
    /// The AMQP application id.
    pub app_id: Option<&'a str>,
    /// The AMQP message type.
    pub kind: Option<&'a str>,
    /// The AMQP content encoding.
    pub content_encoding: Option<&'a str>,
    /// The AMQP message id.
    pub message_id: Option<&'a str>,
    /// The AMQP timestamp.
    pub timestamp: Option<DateTime<Utc>>,
}

/// The event id from the body, else from the message. A text that is not a UUID becomes a UUID
/// that depends on application and queue, because another application may use the same text for
/// another event.
pub(crate) fn id_from(in_body: Option<&str>, attributes: Attributes<'_>) -> Option<Uuid> {
    let is_present = |text: &&str| !text.is_empty();
    let text = in_body.filter(is_present).or(attributes.message_id.filter(is_present))?;
    Some(Uuid::parse_str(text).unwrap_or_else(|_| {
        let scope = [attributes.queue, attributes.app_id.unwrap_or_default(), text];
        Uuid::new_v5(&ID_NAMESPACE, scope.join("\0").as_bytes())
    }))
}
