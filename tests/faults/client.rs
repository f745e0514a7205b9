//! A client that does as `docs/api.md` says: whatever has no final response is sent
//! again with the same `Idempotency-Key`.

use super::ledger::Ledger;
use crate::harness::{Response, client, json};
use fastrand::Rng;
use reqwest::{Client as Http, Method};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a client waits for an response before it sends the request again.
const ANSWER: Duration = Duration::from_secs(6);

/// A request that has no final response by then is a violation: no fault is that long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where clients find the services.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Addresses of command services.
    pub commands: Vec<String>,
    /// Addresses of query services.
    pub queries: Vec<String>,
}

/// A client with a plan of its own.
#[derive(Debug)]
pub struct Client {
    /// Its choices.
    pub random: Rng,
    /// Where it notes its responses.
    pub ledger: Arc<Ledger>,
    http: Http,
    doors: Arc<Doors>,
    name: String,
    sent: u64,
}

impl Client {
    /// A client whose name no other has.
    pub fn new(name: String, doors: Arc<Doors>, ledger: Arc<Ledger>, random: Rng) -> Self {
        Self { random, ledger, http: client(), doors, name, sent: 0 }
    }

    /// A text that no request had before.
    pub fn fresh_name(&self) -> String {
        format!("{}-{}", self.name, self.sent)
    }

    /// Sends a command until it is answered for good; none if it never is.
    pub async fn send(&mut self, method: Method, path: &str, body: &str) -> Option<Response> {
        self.sent += 1;
        let key = self.fresh_name();
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let door = self.random.usize(..self.doors.commands.len());
            let url = format!("http://{}{path}", self.doors.commands[door]);
            let request = json(&self.http, method.clone(), url, body);
            match Response::to(request.header("idempotency-key", &key).timeout(ANSWER)).await {
                Ok(response) if response.status < 500 => return Some(response),
                Ok(response) => self.note_failure(&format!("{method} {path}"), &response),
                // Refused connections had no effect; of all others nobody knows.
                Err(error) => self.ledger.books().unknown += usize::from(!error.is_connect()),
            }
            self.ledger.books().retries += 1;
            let pause = Duration::from_millis(self.random.u64(20..100));
            tokio::time::sleep(pause).await;
        }
        self.ledger.violation(format!("{method} {path} had no final response within {PATIENCE:?}"));
        None
    }

    /// Reads from a query service, which may be away.
    pub async fn read(&mut self, path: &str) {
        let door = self.random.usize(..self.doors.queries.len());
        let url = format!("http://{}{path}", self.doors.queries[door]);
        if let Ok(response) = Response::to(self.http.get(url).timeout(ANSWER)).await
            && response.status != 200
            && response.status != 404
        {
            self.note_failure(path, &response);
        }
    }

    /// The only failure that may be is 503 with the time after which to come again.
    fn note_failure(&self, what: &str, response: &Response) {
        let mut books = self.ledger.books();
        if response.status != 503 || !response.headers.contains_key("retry-after") {
            books.violations.push(format!("{what}: {} {}", response.status, response.text));
        }
        books.unknown += usize::from(["Outcome unknown", "Timed out"].contains(&response.error()));
    }
}
