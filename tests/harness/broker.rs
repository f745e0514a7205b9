//! A virtual host of the broker, of a test's own.

use super::http::{Response, client, json};
use super::servers::Servers;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::Method;
use serde_json::{Value, json as object};
use uuid::Uuid;

// What the stack loads into its broker.
const DEFINITIONS: &str = include_str!("../../deploy/broker/definitions.json");

/// The users of services.
const SERVICES: [&str; 2] = ["command-service", "consumer-service"];

/// A virtual host, deleted when dropped.
#[derive(Debug)]
pub struct Broker {
    management: String,
    uri: AMQPUri,
    name: String,
}

impl Broker {
    /// Creates a virtual host whose queues are quorum queues by default.
    pub async fn create(servers: &Servers) -> Self {
        let name = format!("test-{}", Uuid::new_v4().simple());
        let mut uri: AMQPUri = servers.broker.parse().unwrap();
        uri.vhost.clone_from(&name);
        let broker = Self { management: servers.management.clone(), uri, name };
        // RabbitMQ 3.10 reads the first name, later versions the second.
        let quorum = r#"{"defaultqueuetype":"quorum","default_queue_type":"quorum"}"#;
        broker.manage(Method::PUT, &format!("vhosts/{}", broker.name), quorum).await;
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        let user = &broker.uri.authority.userinfo.username;
        broker.manage(Method::PUT, &format!("permissions/{}/{user}", broker.name), all).await;
        // For the rest as in the stack's own virtual host.
        let definitions: Value = serde_json::from_str(DEFINITIONS).unwrap();
        for user in SERVICES {
            let rights = named(&definitions["permissions"], "user", user).to_string();
            let path = format!("permissions/{}/{user}", broker.name);
            broker.manage(Method::PUT, &path, &rights).await;
        }
        let policy = named(&definitions["policies"], "name", "event-queues").to_string();
        broker
            .manage(Method::PUT, &format!("policies/{}/event-queues", broker.name), &policy)
            .await;
        broker
    }

    /// Its URL, as an administrator.
    pub(super) const fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of this virtual host for a service, at that port of the broker or of a
    /// link.
    pub fn url_as(&self, service: &str, port: u16) -> String {
        let mut uri = self.uri.clone();
        service.clone_into(&mut uri.authority.userinfo.username);
        // That which `cargo stack` gives it.
        "password".clone_into(&mut uri.authority.userinfo.password);
        uri.authority.port = port;
        uri.to_string()
    }

    /// What the management API says of a queue.
    pub async fn queue(&self, name: &str) -> Response {
        self.manage(Method::GET, &format!("queues/{}/{name}", self.name), "").await
    }

    /// What the management API lists of this virtual host: its `connections`,
    /// `channels` or `consumers`.
    pub async fn list(&self, what: &str) -> Value {
        let path = match what {
            "consumers" => format!("consumers/{}", self.name),
            _ => format!("vhosts/{}/{what}", self.name),
        };
        self.manage(Method::GET, &path, "").await.body
    }

    /// A channel with confirms, as a stranger would have.
    pub async fn channel(&self) -> (Connection, Channel) {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect_uri(self.uri.clone(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        (connection, channel)
    }

    /// Publishes raw bytes to a queue, by the default exchange, as a stranger.
    pub async fn publish(&self, queue: &str, bodies: &[Vec<u8>], properties: BasicProperties) {
        self.publish_by("", queue, bodies, properties).await;
    }

    /// Publishes raw bytes by an exchange.
    pub async fn publish_by(
        &self,
        exchange: &str,
        key: &str,
        bodies: &[Vec<u8>],
        properties: BasicProperties,
    ) {
        let message = |body: &Vec<u8>| (key.to_owned(), body.clone(), properties.clone());
        self.publish_all(exchange, bodies.iter().map(message)).await;
    }

    /// Publishes messages, each a key, a body and properties, by an exchange.
    pub async fn publish_all(
        &self,
        exchange: &str,
        messages: impl Iterator<Item = (String, Vec<u8>, BasicProperties)>,
    ) {
        let (connection, channel) = self.channel().await;
        let mut confirms = Vec::new();
        for (key, body, properties) in messages {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let (exchange, key): (ShortString, ShortString) = (exchange.into(), key.into());
            let sent = channel.basic_publish(exchange, key, options, &body, properties);
            confirms.push(sent.await.unwrap());
        }
        for confirm in confirms {
            assert_eq!(confirm.await.unwrap(), lapin::Confirmation::Ack(None), "not routed");
        }
        connection.close(200, "bye".into()).await.unwrap();
    }

    async fn manage(&self, method: Method, path: &str, body: &str) -> Response {
        let url = format!("{}/api/{path}", self.management);
        Response::to(json(&client(), method, url, body)).await.unwrap()
    }

    /// Makes a queue refuse messages while one waits in it.
    pub async fn limit(&self, queue: &str) {
        // Only the policy with the highest priority applies to a queue, so this one
        // repeats the stack's.
        let policy = object!({
            "pattern": format!("^{queue}$"),
            "apply-to": "queues",
            "priority": 1,
            "definition": {
                "delivery-limit": 1_000_000_000,
                "max-length": 0,
                "overflow": "reject-publish",
            },
        });
        let path = format!("policies/{}/limit", self.name);
        self.manage(Method::PUT, &path, &policy.to_string()).await;
    }

    /// Removes that policy.
    pub async fn unlimit(&self) {
        self.manage(Method::DELETE, &format!("policies/{}/limit", self.name), "").await;
    }

    /// Deletes the virtual host.
    pub async fn delete(&self) {
        self.manage(Method::DELETE, &format!("vhosts/{}", self.name), "").await;
    }
}

fn named<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|item| item[key] == name).unwrap()
}

impl Servers {
    /// The broker's port for AMQP.
    pub fn broker_port(&self) -> u16 {
        let uri: AMQPUri = self.broker.parse().unwrap();
        uri.authority.port
    }

    /// Whether the broker takes connections.
    pub async fn broker_answers(&self) -> Result<(), String> {
        let port = self.broker_port();
        let url = format!("{}/api/health/checks/port-listener/{port}", self.management);
        let response = Response::to(client().get(url)).await.map_err(|error| error.to_string())?;
        if response.status == 200 { Ok(()) } else { Err(response.text) }
    }
}
