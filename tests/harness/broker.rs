//! The virtual host of a test on the broker.

use super::http::{Response, client, json};
use super::servers::Servers;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use reqwest::Method;
use serde_json::{Value, json as object};
use uuid::Uuid;

// The definitions that the stack loads into its broker.
const DEFINITIONS: &str = include_str!("../../deploy/broker/definitions.json");

/// A virtual host. Each test has its own.
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
        // Permissions of services and policies are those of the stack.
        let definitions: Value = serde_json::from_str(DEFINITIONS).unwrap();
        for (kind, key) in [("permissions", "user"), ("policies", "name")] {
            for definition in definitions[kind].as_array().unwrap() {
                let name = definition[key].as_str().unwrap();
                if !name.starts_with('$') {
                    let path = format!("{kind}/{}/{name}", broker.name);
                    broker.manage(Method::PUT, &path, &definition.to_string()).await;
                }
            }
        }
        broker
    }

    /// The URL for the administrator.
    pub(super) const fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL for a service, through a port of the broker or of a link.
    pub fn url_as(&self, service: &str, port: u16) -> String {
        let mut uri = self.uri.clone();
        service.clone_into(&mut uri.authority.userinfo.username);
        // The password that `cargo stack` gives to services.
        "password".clone_into(&mut uri.authority.userinfo.password);
        uri.authority.port = port;
        uri.to_string()
    }

    /// The response of the management API about a queue; 404 if there is none.
    pub async fn queue(&self, name: &str) -> Response {
        self.manage(Method::GET, &format!("queues/{}/{name}", self.name), "").await
    }

    /// The `connections`, `channels` or `consumers` that the management API lists.
    pub async fn list(&self, kind: &str) -> Value {
        let path = match kind {
            "consumers" => format!("consumers/{}", self.name),
            _ => format!("vhosts/{}/{kind}", self.name),
        };
        self.manage(Method::GET, &path, "").await.body
    }

    /// A channel with publisher confirms, for the administrator.
    pub async fn channel(&self) -> (Connection, Channel) {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect_uri(self.uri.clone(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        (connection, channel)
    }

    /// Publishes external messages without properties to a queue.
    pub async fn publish(&self, queue: &str, bodies: &[Vec<u8>]) {
        self.publish_with(queue, bodies, BasicProperties::default()).await;
    }

    /// The same with properties.
    pub async fn publish_with(&self, queue: &str, bodies: &[Vec<u8>], properties: BasicProperties) {
        self.publish_to_exchange("", queue, bodies, properties).await;
    }

    /// Publishes messages to an exchange, all with the same routing key.
    pub async fn publish_to_exchange(
        &self,
        exchange: &str,
        key: &str,
        bodies: &[Vec<u8>],
        properties: BasicProperties,
    ) {
        let message = |body: &Vec<u8>| (key.to_owned(), body.clone(), properties.clone());
        self.publish_all(exchange, bodies.iter().map(message)).await;
    }

    /// Publishes messages to an exchange: routing key, body and properties of each.
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

    /// Deletes a queue with its messages.
    pub async fn delete_queue(&self, queue: &str) {
        self.manage(Method::DELETE, &format!("queues/{}/{queue}", self.name), "").await;
    }

    async fn manage(&self, method: Method, path: &str, body: &str) -> Response {
        let url = format!("{}/api/{path}", self.management);
        Response::to(json(&client(), method, url, body)).await.unwrap()
    }

    /// Makes a queue reject messages while it contains one.
    pub async fn limit_queue(&self, queue: &str) {
        // Only the policy with the highest priority applies to a queue. So this one
        // repeats the delivery limit of the stack's policy.
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

    /// Removes the limit.
    pub async fn remove_limit(&self) {
        self.manage(Method::DELETE, &format!("policies/{}/limit", self.name), "").await;
    }

    /// Deletes the virtual host.
    pub async fn delete(&self) {
        self.manage(Method::DELETE, &format!("vhosts/{}", self.name), "").await;
    }
}

impl Servers {
    /// The broker's port for AMQP.
    pub fn broker_port(&self) -> u16 {
        let uri: AMQPUri = self.broker.parse().unwrap();
        uri.authority.port
    }

    /// Checks that the broker accepts connections.
    pub async fn check_broker(&self) -> Result<(), String> {
        let port = self.broker_port();
        let url = format!("{}/api/health/checks/port-listener/{port}", self.management);
        let response = Response::to(client().get(url)).await.map_err(|error| error.to_string())?;
        if response.status == 200 { Ok(()) } else { Err(response.text) }
    }
}
