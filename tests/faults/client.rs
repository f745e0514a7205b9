//! A client as `docs/api.md` recommends: it repeats a request without final response with the
//! same `Idempotency-Key`.

use super::ledger::Ledger;
use crate::harness::{Response, client, json, modelled_delay};
use fastrand::Rng;
use reqwest::{Client as Http, Method};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Response timeout of a client.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(6);

/// A request without final response by then is a violation: no fault lasts that long.
const REQUEST_DEADLINE: Duration = Duration::from_secs(120);

/// Backoff between attempts, in milliseconds.
const RETRY_BACKOFF: std::ops::Range<u64> = 20..100;

/// The addresses of the services.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Those of command services.
    pub commands: Vec<String>,
    /// Those of query services.
    pub queries: Vec<String>,
}

/// A client with its own sequence of random choices.
#[derive(Debug)]
pub struct Client {
    /// The random choices.
    pub random: Rng,
    /// The ledger for its responses.
    pub ledger: Arc<Ledger>,
    http: Http,
    addresses: Arc<Addresses>,
    name: String,
    sent: u64,
}

impl Client {
    /// A client with a unique name.
    pub fn new(name: String, addresses: Arc<Addresses>, ledger: Arc<Ledger>, random: Rng) -> Self {
        Self { random, ledger, http: client(), addresses, name, sent: 0 }
    }

    /// A name that no earlier request has used.
    pub fn fresh_name(&self) -> String {
        format!("{}-{}", self.name, self.sent)
    }

    /// Repeats a command until it has a final response; none at the deadline.
    pub async fn send(&mut self, method: Method, path: &str, body: &str) -> Option<Response> {
        self.sent += 1;
        let key = self.fresh_name();
        self.send_with_key(method, path, body, &key).await
    }

    /// The same with a chosen idempotency key.
    pub async fn send_with_key(
        &mut self,
        method: Method,
        path: &str,
        body: &str,
        key: &str,
    ) -> Option<Response> {
        let began = Instant::now();
        while began.elapsed() < REQUEST_DEADLINE {
            let url = format!("http://{}{path}", any(&mut self.random, &self.addresses.commands));
            let request = json(&self.http, method.clone(), url, body);
            let request = request.header("idempotency-key", key).timeout(RESPONSE_TIMEOUT);
            match Response::to(request).await {
                Ok(response) if response.status < 500 => return Some(response),
                Ok(response) => self.record_failure(&format!("{method} {path}"), &response),
                // A refused connection had no effect. Any other error leaves the outcome
                // unknown.
                Err(error) => self.ledger.entries().unknown += usize::from(!error.is_connect()),
            }
            self.ledger.entries().retries += 1;
            modelled_delay(Duration::from_millis(self.random.u64(RETRY_BACKOFF))).await;
        }
        let text = format!("{method} {path} had no final response within {REQUEST_DEADLINE:?}");
        self.ledger.violation(text);
        None
    }

    /// Sends a query. The query service may be unavailable.
    pub async fn read(&mut self, path: &str) {
        let url = format!("http://{}{path}", any(&mut self.random, &self.addresses.queries));
        if let Ok(response) = Response::to(self.http.get(url).timeout(RESPONSE_TIMEOUT)).await
            && response.status != 200
            && response.status != 404
        {
            self.record_failure(path, &response);
        }
    }

    /// The only permitted failure is 503 with `Retry-After`.
    fn record_failure(&self, request: &str, response: &Response) {
        let mut entries = self.ledger.entries();
        if response.status != 503 || !response.headers.contains_key("retry-after") {
            let violation = format!("{request}: {} {}", response.status, response.text);
            entries.violations.push(violation);
        }
        let is_unknown = ["Outcome unknown", "Timed out"].contains(&response.error());
        entries.unknown += usize::from(is_unknown);
    }
}

fn any<'a>(random: &mut Rng, addresses: &'a [String]) -> &'a str {
    &addresses[random.usize(..addresses.len())]
}
