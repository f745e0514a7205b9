//! Filters what the AMQP library reads from the broker.
//!
//! All frames pass unchanged except those of deliveries:
//!
//! - Properties that the library cannot read are removed, and kept in the [`Inbox`].
//! - In a routing key or an exchange, bytes that are not UTF-8 are replaced.
//! - Only the beginning of a body that is too large passes.
//! - A delivery beyond the limit of the inbox is removed.
//!
//! A removed frame is replaced by a heartbeat, because the library closes a connection
//! that is silent for too long, which the transfer of a large body could cause.
//!
//! A frame is its type, its channel, the size of its payload, the payload and 0xCE. A
//! delivery is a method frame, a header frame and as many body frames as its size takes:
//! <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 2.3.5 and 4.2.

use super::inbox::{Defect, Inbox};
use super::properties;
use std::collections::BTreeMap;
use std::sync::Arc;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;
const FRAME_END: u8 = 0xce;
const A_HEARTBEAT: [u8; 8] = [HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END];

/// Bytes of a frame before its payload.
const HEAD: usize = 7;

/// Bytes of a content header before its properties: class, weight and body size.
const CONTENT_HEAD: usize = 12;

/// Larger property sections count as unreadable. They could grow beyond the size of a
/// frame, because the broker adds headers when it delivers a message again.
const MAX_PROPERTIES: usize = 64 << 10;

/// RabbitMQ sends no larger method or header frame; its default limit is 128 KiB.
const MAX_FRAME: usize = 16 << 20;

/// Estimated memory of a delivery without its content, in bytes.
const DELIVERY_OVERHEAD: usize = 768;

/// Class and method of `connection.tune` and `basic.deliver`.
const TUNE: [u8; 4] = [0, 10, 0, 30];
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// Filters one connection. Input may be split at any byte.
#[derive(Debug)]
pub struct Filter {
    inbox: Arc<Inbox>,
    /// The frame that is being collected.
    frame: Vec<u8>,
    step: Step,
    /// The delivery that is being received, by channel.
    deliveries: BTreeMap<u16, Delivery>,
    /// Negotiated maximum size of a frame, in bytes; 0: no limit.
    frame_max: usize,
}

/// What to do with the next bytes.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Collect the head of a frame.
    Head,
    /// Collect a whole frame of this many bytes.
    Collect(usize),
    /// Pass the first number of bytes, then remove the second.
    Pass(usize, usize),
    /// Remove this many bytes, then append these.
    Skip(usize, &'static [u8]),
    /// Let everything pass: this is not AMQP.
    PassAll,
}

#[derive(Debug)]
enum Delivery {
    /// Its method frame has arrived, with this delivery tag.
    Announced { frame: Vec<u8>, tag: u64 },
    /// `left` bytes of its body are still to arrive; the first `pass` of them pass.
    Content { left: u64, pass: u64 },
}

impl Filter {
    /// A filter that adds each delivery to the inbox. `frame_max` is the largest frame that
    /// the client negotiates, in bytes; 0: no limit.
    pub const fn new(inbox: Arc<Inbox>, frame_max: usize) -> Self {
        let deliveries = BTreeMap::new();
        Self { inbox, frame: Vec::new(), step: Step::Head, deliveries, frame_max }
    }

    /// Filters input from the broker; appends the result to `output`.
    pub fn feed(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        while !input.is_empty() {
            input = match self.step {
                Step::Head => self.collect(input, HEAD, output),
                Step::Collect(bytes) => self.collect(input, bytes, output),
                Step::Pass(bytes, skip) => {
                    let (passing, rest) = input.split_at(bytes.min(input.len()));
                    output.extend_from_slice(passing);
                    self.step = match bytes - passing.len() {
                        0 if skip == 0 => Step::Head,
                        0 => Step::Skip(skip, &[FRAME_END]),
                        left => Step::Pass(left, skip),
                    };
                    rest
                }
                Step::Skip(bytes, end) => {
                    let (skipped, rest) = input.split_at(bytes.min(input.len()));
                    self.step = Step::Skip(bytes - skipped.len(), end);
                    if bytes == skipped.len() {
                        output.extend_from_slice(end);
                        self.step = Step::Head;
                    }
                    rest
                }
                Step::PassAll => {
                    output.extend_from_slice(input);
                    &[]
                }
            };
        }
    }

    /// Collects this many bytes of a frame; returns the rest of the input.
    fn collect<'a>(&mut self, input: &'a [u8], bytes: usize, output: &mut Vec<u8>) -> &'a [u8] {
        let (taken, rest) = input.split_at((bytes - self.frame.len()).min(input.len()));
        self.frame.extend_from_slice(taken);
        if self.frame.len() == bytes {
            let is_head = matches!(self.step, Step::Head);
            self.step = if is_head { self.begin(output) } else { self.end(output) };
        }
        rest
    }

    /// Decides how to process a frame by its head.
    fn begin(&mut self, output: &mut Vec<u8>) -> Step {
        let (kind, channel) = (self.frame[0], channel(&self.frame));
        let size = u32_at(&self.frame, 3) as usize;
        // With the end byte.
        let pass_whole = Step::Pass(size + 1, 0);
        let step = match (kind, self.deliveries.get_mut(&channel)) {
            (METHOD, _) if size <= MAX_FRAME => return Step::Collect(HEAD + size + 1),
            (HEADER, Some(Delivery::Announced { .. })) if size <= MAX_FRAME => {
                return Step::Collect(HEAD + size + 1);
            }
            (BODY, Some(Delivery::Content { left, pass })) => {
                let passing = (size as u64).min(*pass);
                *left = left.saturating_sub(size as u64);
                *pass -= passing;
                if *left == 0 {
                    self.deliveries.remove(&channel);
                }
                let passing = passing as usize;
                if passing == 0 {
                    self.frame.clear();
                    return Step::Skip(size + 1, &A_HEARTBEAT);
                }
                self.frame[3..HEAD].copy_from_slice(&(passing as u32).to_be_bytes());
                if passing == size { pass_whole } else { Step::Pass(passing, size - passing + 1) }
            }
            (METHOD | HEADER | BODY | HEARTBEAT, _) => pass_whole,
            _ => Step::PassAll,
        };
        output.append(&mut self.frame);
        step
    }

    /// A method or header frame is complete.
    fn end(&mut self, output: &mut Vec<u8>) -> Step {
        let frame = std::mem::take(&mut self.frame);
        if frame.last() != Some(&FRAME_END) {
            output.extend_from_slice(&frame);
            return Step::PassAll;
        }
        let channel = channel(&frame);
        if frame[0] == HEADER {
            self.content(channel, frame, output);
            return Step::Head;
        }
        let arguments = &frame[HEAD..frame.len() - 1];
        match arguments.first_chunk() {
            Some(&DELIVER) => {
                // Otherwise it has another form, and passes.
                if let Some((tag, frame)) = delivery(channel, &arguments[4..]) {
                    self.deliveries.insert(channel, Delivery::Announced { frame, tag });
                    return Step::Head;
                }
            }
            Some(&TUNE) if arguments.len() >= 10 => {
                let theirs = u32_at(arguments, 6) as usize;
                self.frame_max = match (theirs, self.frame_max) {
                    (0, max) | (max, 0) => max,
                    (theirs, ours) => theirs.min(ours),
                };
            }
            _ => {}
        }
        output.extend_from_slice(&frame);
        Step::Head
    }

    /// The content header of an announced delivery is complete.
    fn content(&mut self, channel: u16, mut header: Vec<u8>, output: &mut Vec<u8>) {
        let Some(Delivery::Announced { frame, tag }) = self.deliveries.remove(&channel) else {
            return;
        };
        let payload = &header[HEAD..header.len() - 1];
        let Some((&[class_0, class_1, _, _, ref size @ ..], section)) =
            payload.split_first_chunk::<CONTENT_HEAD>()
        else {
            output.extend_from_slice(&[frame, header].concat());
            return;
        };
        let body_bytes = u64::from_be_bytes(*size);
        let limits = self.inbox.limits();
        let is_oversize = body_bytes > limits.body;
        let pass = if is_oversize { limits.excerpt } else { body_bytes };
        let (memory, defect) = match self.readable(section) {
            Ok(memory) => (memory, is_oversize.then_some(Defect::Body { bytes: body_bytes })),
            Err(reason) => {
                let raw = section.to_vec();
                (raw.len(), Some(Defect::Properties { reason, raw, body_bytes }))
            }
        };
        if matches!(defect, Some(Defect::Properties { .. })) {
            // Class and weight, the size of the body (set below), no property flags.
            let payload = [&[class_0, class_1, 0, 0][..], &[0; 8], &[0; 2]].concat();
            header = self::frame(HEADER, channel, &payload);
        }
        header[HEAD + 4..HEAD + CONTENT_HEAD].copy_from_slice(&pass.to_be_bytes());
        let bytes = (pass as usize).saturating_add(memory + DELIVERY_OVERHEAD);
        let is_held = self.inbox.hold(channel, tag, bytes, defect);
        if is_held {
            output.extend_from_slice(&[frame, header].concat());
        } else {
            output.extend_from_slice(&A_HEARTBEAT);
        }
        if body_bytes > 0 {
            let pass = if is_held { pass } else { 0 };
            self.deliveries.insert(channel, Delivery::Content { left: body_bytes, pass });
        }
    }

    /// Checks that the library can read a property section; returns the memory that it
    /// needs, in bytes.
    fn readable(&self, section: &[u8]) -> Result<usize, String> {
        let fits = HEAD + CONTENT_HEAD + section.len() < self.frame_max || self.frame_max == 0;
        if section.len() > MAX_PROPERTIES || !fits {
            return Err(format!("they have {} bytes", section.len()));
        }
        properties::check(section)
    }
}

/// The tag of a `basic.deliver` and its frame, with strings that are UTF-8. Its arguments
/// are consumer tag, delivery tag, redelivered, exchange and routing key.
fn delivery(channel: u16, arguments: &[u8]) -> Option<(u64, Vec<u8>)> {
    let (consumer, rest) = short_string(arguments)?;
    let (numbers, rest) = rest.split_at_checked(9)?;
    let (exchange, rest) = short_string(rest)?;
    let (key, rest) = short_string(rest)?;
    if !rest.is_empty() {
        return None;
    }
    let tag = u64::from_be_bytes(*numbers.first_chunk()?);
    let strings = [consumer, exchange, key].map(as_utf8);
    let [consumer, exchange, key] = &strings;
    let payload = [&DELIVER[..], consumer, numbers, exchange, key].concat();
    Some((tag, frame(METHOD, channel, &payload)))
}

/// A short string without its length, and what follows it.
fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked((*length).into())
}

/// A short string with its length; bytes that are not UTF-8 are replaced.
fn as_utf8(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let text = &text[..text.floor_char_boundary(255)];
    [&[text.len() as u8][..], text.as_bytes()].concat()
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, payload, &[FRAME_END]].concat()
}

fn channel(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[1], frame[2]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
