//! An AMQP 0-9-1 publisher that can send any bytes, such as strings that are not UTF-8 and
//! malformed header tables.
//!
//! <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>

use super::broker::Broker;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const FRAME_END: u8 = 0xce;

/// Maximum payload of a body frame, in bytes.
const BODY_FRAME: usize = 100_000;

/// A connection with one channel and publisher confirms.
#[derive(Debug)]
pub struct RawAmqp(TcpStream);

/// A message as bytes.
#[derive(Clone, Debug, Default)]
pub struct RawMessage {
    /// Name of the exchange; empty for the default exchange.
    pub exchange: Vec<u8>,
    /// Routing key; for the default exchange, the name of the queue.
    pub key: Vec<u8>,
    /// Property section of the content header: flags and properties.
    pub properties: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

impl RawAmqp {
    /// Connects to a virtual host as administrator.
    pub async fn connect(broker: &Broker) -> Self {
        let uri = broker.uri();
        let address = (uri.authority.host.as_str(), uri.authority.port);
        let mut raw = Self(TcpStream::connect(address).await.unwrap());
        raw.0.write_all(b"AMQP\x00\x00\x09\x01").await.unwrap();
        raw.method(10, 10).await.unwrap(); // connection.start
        let user = &uri.authority.userinfo;
        let response = format!("\0{}\0{}", user.username, user.password);
        let start_ok = [&long(&[]), &short(b"PLAIN"), &long(response.as_bytes()), &short(b"en_US")];
        raw.send(0, 10, 11, &start_ok.map(Vec::as_slice).concat()).await;
        let tune = raw.method(10, 30).await.unwrap();
        raw.send(0, 10, 31, &tune).await;
        raw.send(0, 10, 40, &[&short(uri.vhost.as_bytes())[..], &[0, 0]].concat()).await;
        raw.method(10, 41).await.unwrap(); // connection.open-ok
        raw.send(1, 20, 10, &[0]).await;
        raw.method(20, 11).await.unwrap(); // channel.open-ok
        raw.send(1, 85, 10, &[0]).await;
        raw.method(85, 11).await.unwrap(); // confirm.select-ok
        raw
    }

    /// Publishes a message and waits for its confirm.
    ///
    /// # Errors
    /// If the broker refuses it. The broker then closes the connection.
    pub async fn publish(&mut self, message: &RawMessage) -> Result<(), String> {
        let RawMessage { exchange, key, properties, body } = message;
        let target = [&[0, 0][..], &short(exchange), &short(key), &[0]].concat();
        self.send(1, 60, 40, &target).await;
        let size = (body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, properties].concat();
        self.frame(HEADER, 1, &header).await.map_err(|error| error.to_string())?;
        for part in body.chunks(BODY_FRAME) {
            self.frame(BODY, 1, part).await.map_err(|error| error.to_string())?;
        }
        self.method(60, 80).await.map(|_| ()) // basic.ack
    }

    async fn send(&mut self, channel: u16, class: u16, method: u16, arguments: &[u8]) {
        let payload = [&class.to_be_bytes()[..], &method.to_be_bytes(), arguments].concat();
        self.frame(METHOD, channel, &payload).await.unwrap();
    }

    async fn frame(&mut self, kind: u8, channel: u16, payload: &[u8]) -> io::Result<()> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&[kind][..], &channel.to_be_bytes(), &size].concat();
        self.0.write_all(&[&head, payload, &[FRAME_END]].concat()).await
    }

    /// Reads frames up to a method and returns the method's arguments.
    async fn method(&mut self, class: u16, method: u16) -> Result<Vec<u8>, String> {
        loop {
            let mut head = [0; 7];
            let read = self.0.read_exact(&mut head).await;
            read.map_err(|error| error.to_string())?;
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
            let mut payload = vec![0; size + 1];
            let read = self.0.read_exact(&mut payload).await;
            read.map_err(|error| error.to_string())?;
            payload.pop();
            if head[0] != METHOD {
                continue;
            }
            let arguments = payload.split_off(4);
            let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
            match (number(0), number(2)) {
                found if found == (class, method) => return Ok(arguments),
                (10, 50) | (20, 40) => return Err(String::from_utf8_lossy(&arguments).into_owned()),
                _ => {}
            }
        }
    }
}

/// A property section: flags with one bit for each of the following properties.
pub fn properties(flags: u16, values: &[&[u8]]) -> Vec<u8> {
    [&flags.to_be_bytes()[..], &values.concat()].concat()
}

/// A property section with only a header table.
pub fn headers(table: &[u8]) -> Vec<u8> {
    properties(1 << 13, &[&long(table)])
}

/// A short string: its length in one byte, then its bytes.
pub fn short(bytes: &[u8]) -> Vec<u8> {
    [&[u8::try_from(bytes.len()).unwrap()][..], bytes].concat()
}

/// A long string, a table or an array: its length in four bytes, then its bytes.
pub fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}
