//! Requests to servers on the loopback address.
//!
//! With HTTP/1.0 the response ends with the connection and a body is never chunked. That
//! suffices for health checks and for the broker's management interface.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::interrupt;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

impl Response {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A request to a port of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `PUT` …
    pub method: &'a str,
    /// The port on 127.0.0.1.
    pub port: u16,
    /// Path and query, percent-encoded.
    pub path: &'a str,
    /// The value of the header `Authorization`, if any.
    pub authorization: Option<&'a str>,
    /// A JSON body; empty for none.
    pub body: &'a str,
}

impl<'a> Request<'a> {
    pub fn get(port: u16, path: &'a str) -> Self {
        Self { method: "GET", port, path, authorization: None, body: "" }
    }

    /// Sends the request and reads the whole response.
    pub fn send(&self) -> Result<Response> {
        self.exchange()
            .with_context(|| format!("{} http://127.0.0.1:{}{}", self.method, self.port, self.path))
    }

    /// Repeats the request until it succeeds, and returns whether it did so in time. `died` returns
    /// whether the server has ended.
    pub fn succeeds_within(&self, time: Duration, mut died: impl FnMut() -> bool) -> Result<bool> {
        let deadline = Instant::now() + time;
        loop {
            interrupt::check()?;
            if self.send().is_ok_and(|response| response.is_success()) {
                return Ok(true);
            }
            if died() || Instant::now() >= deadline {
                return Ok(false);
            }
            interrupt::sleep(Duration::from_millis(100))?;
        }
    }

    fn exchange(&self) -> Result<Response> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        stream.set_read_timeout(Some(RESPONSE_TIMEOUT))?;
        stream.set_write_timeout(Some(RESPONSE_TIMEOUT))?;
        stream.write_all(self.text().as_bytes())?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        parse(&String::from_utf8_lossy(&response))
    }

    fn text(&self) -> String {
        let authorization = self
            .authorization
            .map(|value| format!("Authorization: {value}\r\n"))
            .unwrap_or_default();
        format!(
            "{} {} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\n{authorization}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
            self.method,
            self.path,
            self.port,
            self.body.len(),
            self.body,
        )
    }
}

fn parse(response: &str) -> Result<Response> {
    let (head, body) = response.split_once("\r\n\r\n").ok_or_else(|| {
        anyhow!("the response is not HTTP: {:?}", response.get(..80).unwrap_or(response))
    })?;
    let status = head
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| anyhow!("the response has no status: {head:?}"))?;
    Ok(Response { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_has_a_status_and_a_body() {
        let response = parse("HTTP/1.1 503 Service Unavailable\r\nx: y\r\n\r\n{\"a\":1}");
        assert_eq!(response.ok(), Some(Response { status: 503, body: "{\"a\":1}".to_owned() }));
        assert!(parse("SSH-2.0").is_err());
    }

    #[test]
    fn a_request_states_the_length_of_its_body() {
        let mut request = Request::get(80, "/x");
        request.body = "{}";
        assert!(request.text().starts_with("GET /x HTTP/1.0\r\n"));
        assert!(request.text().ends_with("Content-Length: 2\r\n\r\n{}"));
    }
}
