//! Poison messages: AMQP libraries cannot decode them, or they need much memory.

use super::broker::Broker;
use super::raw_amqp::{RawAmqp, RawMessage, headers, long, properties, short};
use shared_events::topology::EXCHANGE;
use uuid::Uuid;

/// Flags of properties in an AMQP content header.
const HEADERS: u16 = 1 << 13;
const PRIORITY: u16 = 1 << 11;
const CORRELATION_ID: u16 = 1 << 10;
const MESSAGE_ID: u16 = 1 << 7;
const TYPE: u16 = 1 << 5;
const APP_ID: u16 = 1 << 3;

/// A message that must become a dead letter.
#[derive(Clone, Debug)]
pub struct Poison {
    /// Its defect.
    pub kind: &'static str,
    /// A part of the dead letter's reason.
    pub reason: &'static str,
    /// The message.
    pub message: RawMessage,
}

/// One message of each kind for the queue of a topic. All bodies differ.
pub fn every_kind(topic: &str) -> Vec<Poison> {
    let uuid = b"\x01\x90\xa0\xff\xee\xdd\x70\x01\x80\x02\x03\x04\x05\x06\x07\x08";
    let latin = short(b"M\xfcller");
    let table = |name: &[u8], value: &[u8]| headers(&[&short(name)[..], value].concat());
    let text = |bytes: usize| [b"S", &long(&vec![b'x'; bytes])[..]].concat();
    let utf8 = "is not UTF-8";
    let sections = [
        ("byte as message id", utf8, properties(MESSAGE_ID, &[&short(b"\xff")])),
        ("binary message id", "message_id is not", properties(MESSAGE_ID, &[&short(uuid)])),
        ("Latin-1 type", "type is not UTF-8", properties(TYPE, &[&latin])),
        ("Latin-1 app id", "app_id is not UTF-8", properties(APP_ID, &[&latin])),
        ("Latin-1 correlation id", "correlation_id is not", properties(CORRELATION_ID, &[&latin])),
        ("Latin-1 header name", "headers has an entry", table(b"\xe9", &text(1))),
        ("unknown field type", "unknown type", table(b"field", b"Z\0")),
        ("large headers", "cannot be read: they have", table(b"large", &text(130_000))),
        ("deep headers", "more than 16 levels", table(b"deep", &nested(2_000))),
        ("many values", "not JSON", table(b"many", &array(&[b'V'; 50_000]))),
        ("undefined flag", "not JSON", properties(1 << 1, &[])),
        ("priority", "not JSON", properties(HEADERS | PRIORITY, &[&long(&[]), &[9]])),
    ];
    let to_queue = |properties| RawMessage {
        key: topic.into(),
        body: format!("poison {}", Uuid::new_v4()).into_bytes(),
        properties,
        ..RawMessage::default()
    };
    let mut poison: Vec<Poison> = sections
        .into_iter()
        .map(|(kind, reason, section)| Poison { kind, reason, message: to_queue(section) })
        .collect();
    let message = RawMessage {
        exchange: EXCHANGE.into(),
        key: [topic.as_bytes(), b".\xe9"].concat(),
        ..to_queue(vec![0; 2])
    };
    poison.push(Poison { kind: "Latin-1 routing key", reason: "not JSON", message });
    let mut message = to_queue(vec![0; 2]);
    message.body.resize(5_000_000, 0);
    poison.push(Poison { kind: "large body", reason: "5000000 bytes exceed the limit", message });
    poison
}

/// Publishes a message. Returns the reason if the broker refuses it.
pub async fn publish(broker: &Broker, message: &RawMessage) -> Result<(), String> {
    // Each message has its own connection: the broker closes it after a refusal.
    RawAmqp::connect(broker).await.publish(message).await
}

/// An array nested in this many others.
fn nested(levels: usize) -> Vec<u8> {
    (0..levels).fold(array(&[]), |inner, _| array(&inner))
}

fn array(content: &[u8]) -> Vec<u8> {
    [b"A", &long(content)[..]].concat()
}
