//! Publishes one topic.
//!
//! Each topic has a broker connection, a channel and a retry backoff of its own, because
//! RabbitMQ blocks a whole connection if one queue is slow. So a topic whose queue
//! refuses messages, is missing or does not confirm delays no other topic.

use super::queue::{Pending, Scan};
use super::sending::{Sent, open_channel, publish, topology};
use lapin::Channel;
use service_runtime::amqp::{self, Limits, Session};
use service_runtime::broker::BrokerUrl;
use service_runtime::retry::Backoff;
use shared_events::{Topic, Watermark};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Delay after the broker has accepted a part of a batch.
const PARTLY_REFUSED: Duration = Duration::from_millis(100);

/// A topic is healthy again if nothing was refused for this time. It is long enough that a queue
/// that is full again and again does not cause a log line each time.
const HEALTHY_AFTER: Duration = Duration::from_secs(3);

/// Interval at which exchange and queue are declared again. `mandatory` does not detect a deleted
/// queue while another queue is bound to the same key.
const DECLARE_INTERVAL: Duration = Duration::from_secs(30);

/// The publishing state of a topic.
#[derive(Debug)]
pub struct TopicPublisher {
    pub topic: Topic,
    /// State of reading its rows.
    pub scan: Scan,
    /// The watermark to be sent next.
    pub watermark: Option<Watermark>,
    /// Confirmed events that could not be marked, because a row was locked.
    pub unmarked: Vec<Uuid>,
    /// Why it cannot be published; the text does not change during the same problem.
    problem: Option<String>,
    failed_at: Option<Instant>,
    is_sending: bool,
    retry_at: Option<Instant>,
    backoff: Backoff,
    link: Option<Link>,
}

/// A connection with a channel.
#[derive(Clone, Debug)]
struct Link {
    connection: Arc<Session>,
    /// The channel and when exchange and queue were declared on it; none: a channel is opened
    /// before the next batch.
    channel: Option<(Channel, Instant)>,
}

/// A batch that was sent, or could not be sent.
#[derive(Debug)]
pub struct Attempt {
    pub topic: Topic,
    /// The broker's response, or the reason why there is none.
    pub outcome: anyhow::Result<Sent>,
    link: Option<Link>,
}

impl TopicPublisher {
    /// The state before the first batch.
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            scan: Scan::default(),
            watermark: None,
            unmarked: Vec::new(),
            problem: None,
            failed_at: None,
            is_sending: false,
            retry_at: None,
            backoff: Backoff::default(),
            link: None,
        }
    }

    /// Whether a batch may be sent now.
    pub fn is_ready(&self) -> bool {
        let is_due = self.retry_at.is_none_or(|at| at <= Instant::now());
        !self.is_sending && is_due && !self.is_blocked()
    }

    /// Whether the broker blocks publishers because it is short of memory or disk.
    /// Messages sent meanwhile would only fill buffers.
    pub fn is_blocked(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_blocked)
    }

    /// Sends a batch and the watermark; none if there is neither.
    pub fn send(
        &mut self,
        broker: &BrokerUrl,
        batch: Vec<Pending>,
    ) -> Option<impl Future<Output = Attempt> + use<>> {
        if batch.is_empty() && self.watermark.is_none() {
            return None;
        }
        self.is_sending = true;
        let (topic, broker, watermark) = (self.topic, broker.clone(), self.watermark.take());
        let link = self.link.clone();
        Some(async move {
            let mut link = match link {
                Some(link) => link,
                None => match Link::open(&broker, topic).await {
                    Ok(link) => link,
                    Err(error) => return Attempt { topic, outcome: Err(error), link: None },
                },
            };
            let outcome = link.publish(topic, &batch, watermark.as_ref()).await;
            // A blocked connection works again when the broker's alarm ends.
            let link = (outcome.is_ok() || link.is_blocked()).then_some(link);
            Attempt { topic, outcome, link }
        })
    }

    /// Stores the result of a batch.
    pub fn settle(&mut self, attempt: Attempt) {
        self.is_sending = false;
        self.link = attempt.link;
        match attempt.outcome {
            Ok(Sent { refusal: None, .. }) => {
                self.backoff.reset();
                self.retry_at = None;
                if self.failed_at.is_none_or(|at| at.elapsed() >= HEALTHY_AFTER) {
                    self.problem = None;
                }
            }
            Ok(Sent { confirmed, refusal: Some(refusal) }) => {
                // In RabbitMQ 3.10 a quorum queue that has refused messages of a channel
                // keeps refusing that channel's messages after the limit is removed.
                if let Some(link) = &mut self.link {
                    link.channel = None;
                }
                self.fail(refusal.to_string());
                if !confirmed.is_empty() {
                    self.backoff.reset();
                    self.retry_at = Some(Instant::now() + PARTLY_REFUSED);
                }
            }
            Err(error) => self.fail(format!("{error:#}")),
        }
    }

    /// Stores why the topic cannot be published for now.
    pub fn fail(&mut self, problem: String) {
        let now = Instant::now();
        self.is_sending = false;
        self.retry_at = Some(now + self.backoff.next_delay());
        self.failed_at = Some(now);
        self.problem = Some(problem);
    }

    /// Why the topic cannot be published, if so.
    pub fn problem(&self) -> Option<String> {
        self.problem.as_ref().map(|problem| format!("{}: {problem}", self.topic))
    }

    /// Closes the connection.
    pub async fn close(self) {
        if let Some(link) = self.link {
            let _ = link.connection.close(200, "bye".into()).await;
        }
    }
}

impl Link {
    async fn open(broker: &BrokerUrl, topic: Topic) -> anyhow::Result<Self> {
        let name = format!("command-service publisher {topic}");
        Ok(Self {
            connection: Arc::new(amqp::connect(broker, &name, Limits::NONE).await?),
            channel: None,
        })
    }

    async fn publish(
        &mut self,
        topic: Topic,
        batch: &[Pending],
        watermark: Option<&Watermark>,
    ) -> anyhow::Result<Sent> {
        let (channel, declared_at) = match self.channel.take() {
            Some((channel, at)) => (channel, Some(at)),
            None => (open_channel(&self.connection).await?, None),
        };
        let is_recent = |at: &Instant| at.elapsed() < DECLARE_INTERVAL;
        let declared_at = match declared_at.filter(is_recent) {
            Some(at) => at,
            None => {
                amqp::declare(&channel, &topology(&[topic])).await?;
                Instant::now()
            }
        };
        let sent = publish(&channel, batch, watermark).await?;
        self.channel = Some((channel, declared_at));
        Ok(sent)
    }

    fn is_blocked(&self) -> bool {
        let status = self.connection.status();
        status.connected() && status.blocked()
    }
}
