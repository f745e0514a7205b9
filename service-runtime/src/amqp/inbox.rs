//! The unsettled deliveries of a connection.
//!
//! The broker sends as many messages of any size as the prefetch count allows,
//! and the AMQP library keeps them all. So the inbox bounds their size: deliveries beyond
//! the limit never reach the library. They are not acknowledged, so they stay in the
//! queue and are delivered to the next subscription.

use parking_lot::Mutex;
use std::collections::VecDeque;
use tokio::sync::Notify;

/// Bounds of what a connection receives, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest body that is received whole.
    pub body: u64,
    /// Number of bytes received of a larger body.
    pub excerpt: u64,
    /// Size of the messages held, with an estimate of the library's overhead.
    pub held: usize,
}

impl Limits {
    /// No bounds: for connections that only publish.
    pub const NONE: Self = Self { body: u64::MAX, excerpt: u64::MAX, held: usize::MAX };
}

/// Why a message is defective.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Its properties cannot be read.
    Properties {
        /// The property and the reason.
        reason: String,
        /// The property section.
        raw: Vec<u8>,
        /// Length of the body as it was sent; less may have been received.
        body_bytes: u64,
    },
    /// Its body is larger than one that is received whole.
    Body {
        /// Its length as it was sent.
        bytes: u64,
    },
}

/// The unsettled deliveries of a connection. The filter of its stream and its consumer
/// share the inbox. One channel consumes at a time.
#[derive(Debug)]
pub struct Inbox {
    limits: Limits,
    state: Mutex<State>,
    overran: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The channel that consumes; 0: none yet.
    channel: u16,
    held: VecDeque<Held>,
    bytes: usize,
    /// How many deliveries were held when one did not fit. Later ones are dropped, too, so
    /// that those held are the first ones of the channel and one acknowledgement can settle
    /// them.
    overrun: Option<usize>,
}

#[derive(Debug)]
struct Held {
    tag: u64,
    bytes: usize,
    defect: Option<Defect>,
}

impl Inbox {
    /// An empty inbox.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), overran: Notify::new() }
    }

    /// The bounds.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Clears the inbox: from now on this channel consumes.
    pub fn open(&self, channel: u16) {
        *self.state.lock() = State { channel, ..State::default() };
    }

    /// Adds a delivery of this size; false if it exceeds the limit.
    pub(super) fn hold(
        &self,
        channel: u16,
        tag: u64,
        bytes: usize,
        defect: Option<Defect>,
    ) -> bool {
        let mut state = self.state.lock();
        if state.channel != channel || state.overrun.is_some() {
            return false;
        }
        let sum = state.bytes.saturating_add(bytes);
        // A single delivery of any size is held, so that it can be settled.
        if sum > self.limits.held && !state.held.is_empty() {
            state.overrun = Some(state.held.len());
            self.overran.notify_one();
            return false;
        }
        state.bytes = sum;
        state.held.push_back(Held { tag, bytes, defect });
        true
    }

    /// The defect of a delivery that is held; usually none.
    pub fn defect(&self, tag: u64) -> Option<Defect> {
        let mut state = self.state.lock();
        let index = state.held.binary_search_by_key(&tag, |held| held.tag).ok()?;
        state.held.get_mut(index)?.defect.take()
    }

    /// Removes the deliveries up to this one, which are settled. Returns their mean size
    /// in bytes.
    pub fn settle(&self, tag: u64) -> Option<usize> {
        let mut state = self.state.lock();
        let (mut count, mut bytes) = (0, 0);
        while let Some(held) = state.held.pop_front_if(|held| held.tag <= tag) {
            count += 1;
            bytes += held.bytes;
        }
        state.bytes -= bytes;
        bytes.checked_div(count)
    }

    /// Waits until a delivery does not fit.
    pub async fn wait_for_overrun(&self) {
        while self.overrun().is_none() {
            self.overran.notified().await;
        }
    }

    /// How many deliveries were held when one did not fit; none if all have fitted since
    /// the channel was opened.
    pub fn overrun(&self) -> Option<usize> {
        self.state.lock().overrun
    }
}
