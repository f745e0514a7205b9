//! Publishing one topic.
//!
//! Each topic has a broker connection, a channel and a retry backoff of its own, because
//! RabbitMQ holds back a whole connection for one queue that is slow: so a topic whose
//! queue refuses messages, is missing or does not confirm delays no other.

use super::queue::{Pending, Scan};
use super::sending::{Sent, publish, topology};
use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use service_runtime::amqp::{self, Limits, Session};
use service_runtime::broker::BrokerUrl;
use service_runtime::retry::Pauses;
use shared_events::{Topic, Watermark};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait with a topic of which the broker has taken a part.
const PARTLY_REFUSED: Duration = Duration::from_millis(100);

/// A topic is well again if nothing was refused for so long. Longer than a queue takes
/// that is full again and again: its state is logged with every change.
const WELL_AFTER: Duration = Duration::from_secs(3);

/// How often exchange and queue are declared again. Somebody may have deleted the queue,
/// which `mandatory` does not show while another queue is bound to the same key.
const DECLARE_INTERVAL: Duration = Duration::from_secs(30);

/// A topic as the leader publishes it.
#[derive(Debug)]
pub struct TopicPublisher {
    pub topic: Topic,
    /// How far its rows have been looked for.
    pub scan: Scan,
    /// To be sent next.
    pub watermark: Option<Watermark>,
    /// Why it cannot be published, in words that do not change while it lasts.
    problem: Option<String>,
    failed_at: Option<Instant>,
    is_sending: bool,
    retry_at: Option<Instant>,
    backoff: Pauses,
    link: Option<Link>,
}

/// A connection with a channel.
#[derive(Clone, Debug)]
struct Link {
    connection: Arc<Session>,
    /// With when exchange and queue were declared by it; none: to be opened next.
    channel: Option<(Channel, Instant)>,
}

/// A batch that has been sent, or could not be.
#[derive(Debug)]
pub struct Attempt {
    pub topic: Topic,
    /// What the broker said of it, or why it said nothing.
    pub outcome: anyhow::Result<Sent>,
    link: Option<Link>,
}

impl TopicPublisher {
    /// Nothing has been sent.
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            scan: Scan::default(),
            watermark: None,
            problem: None,
            failed_at: None,
            is_sending: false,
            retry_at: None,
            backoff: Pauses::default(),
            link: None,
        }
    }

    /// Whether a batch may be sent now.
    pub fn is_ready(&self) -> bool {
        let is_due = self.retry_at.is_none_or(|at| at <= Instant::now());
        !self.is_sending && is_due && !self.is_blocked()
    }

    /// Whether the broker takes no messages at all, for want of memory or disk. What is
    /// sent meanwhile only fills memory here and there.
    pub fn is_blocked(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_blocked)
    }

    /// Sends a batch with the watermark, as far as there is anything to be sent.
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
            // One that is blocked goes on when the broker has room again.
            let link = (outcome.is_ok() || link.is_blocked()).then_some(link);
            Attempt { topic, outcome, link }
        })
    }

    /// Notes what became of a batch. What was confirmed has been marked.
    pub fn settle(&mut self, attempt: Attempt) {
        self.is_sending = false;
        self.link = attempt.link;
        match attempt.outcome {
            Ok(Sent { refusal: None, .. }) => {
                self.backoff.reset();
                self.retry_at = None;
                if self.failed_at.is_none_or(|at| at.elapsed() >= WELL_AFTER) {
                    self.problem = None;
                }
            }
            Ok(Sent { confirmed, refusal: Some(refusal) }) => {
                // To RabbitMQ 3.10 a quorum queue that has refused messages of a channel
                // stays full for that channel when the limit is removed.
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

    /// Notes that the topic cannot be published for now, and why.
    pub fn fail(&mut self, problem: String) {
        let now = Instant::now();
        self.is_sending = false;
        self.retry_at = Some(now + self.backoff.next_pause());
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
            None => (self.open_channel().await?, None),
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

    async fn open_channel(&self) -> lapin::Result<Channel> {
        amqp::in_time(async {
            let channel = self.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        })
        .await
    }

    fn is_blocked(&self) -> bool {
        let status = self.connection.status();
        status.connected() && status.blocked()
    }
}
