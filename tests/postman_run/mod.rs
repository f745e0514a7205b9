//! The requests and scripts of the Postman collection pass, without npm and without the
//! gateway. `tests/postman/run` runs them with newman and through the gateway.

mod addresses;

use crate::harness::{Response, Shop, client};
use addresses::Addresses;
use reqwest::Client;
use serde_json::json;
use std::time::Duration;
use system_tests::postman::{Collection, Phase, Report, Request, Sandbox};

/// Requests to which the gateway itself responds. They are not sent, as there is no gateway.
const GATEWAY_ONLY: [&str; 1] = ["Health of the gateway"];

/// The same as in `tests/postman/run`.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Limit of the attempts at a request. The scripts stop after 100.
const MAX_ATTEMPTS: usize = 150;

#[tokio::test]
async fn the_collection_passes_twice_in_a_row() {
    let shop = Shop::start().await;
    let (collection, addresses) = (Collection::read(), Addresses::of(&shop).await);
    let mut failures = Vec::new();
    // The second run finds the data of the first.
    for number in ["first", "second"] {
        let failed = Run::new(&collection, &addresses).to_end().await;
        failures.extend(failed.into_iter().map(|failure| format!("{number} run: {failure}")));
    }
    shop.stop().await;
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// A run of the collection.
struct Run<'a> {
    collection: &'a Collection,
    /// The requests that are sent, and their URLs.
    requests: Vec<(&'a Request, String)>,
    sandbox: Sandbox,
    client: Client,
}

/// The attempts at a request so far.
#[derive(Clone, Default)]
struct Outcome {
    attempts: usize,
    tests: usize,
    failures: Vec<String>,
}

impl<'a> Run<'a> {
    fn new(collection: &'a Collection, addresses: &Addresses) -> Self {
        let (mut requests, mut others) = (Vec::new(), Vec::new());
        for request in &collection.requests {
            match addresses.url(request) {
                Some(url) => requests.push((request, url)),
                None => others.push(&request.name),
            }
        }
        assert_eq!(others, GATEWAY_ONLY);
        let sandbox = Sandbox::new(&addresses.environment);
        Self { collection, requests, sandbox, client: client() }
    }

    /// Sends the requests in order, unless a script sets the next one. Returns what failed.
    async fn to_end(&self) -> Vec<String> {
        let mut outcomes = vec![Outcome::default(); self.requests.len()];
        let mut place = 0;
        while let Some((request, url)) = self.requests.get(place) {
            let report = self.send(request, url).await;
            let outcome = &mut outcomes[place];
            outcome.attempts += 1;
            outcome.tests += report.tests;
            outcome.failures.extend(report.failures);
            place += 1;
            if let Some(next) = report.next {
                let is_next = |(of, _): &(&Request, String)| of.id == next || of.name == next;
                match self.requests.iter().position(is_next) {
                    Some(wanted) if outcome.attempts < MAX_ATTEMPTS => place = wanted,
                    _ => outcome.failures.push(format!("cannot go on with {next}")),
                }
            }
        }
        let requests = self.requests.iter().map(|(request, _)| &request.name);
        requests.zip(outcomes).flat_map(|(name, outcome)| outcome.failures_of(name)).collect()
    }

    /// Runs the pre-request scripts, sends the request and runs the test scripts.
    async fn send(&self, request: &Request, url: &str) -> Report {
        let mut report = Report::default();
        self.run_scripts(Phase::PreRequest, request, None, &mut report).await;
        match self.response(request, url).await {
            Ok(response) => {
                self.run_scripts(Phase::Test, request, Some(&response), &mut report).await;
            }
            Err(failure) => report.failures.push(failure),
        }
        report
    }

    async fn run_scripts(
        &self,
        phase: Phase,
        request: &Request,
        response: Option<&str>,
        report: &mut Report,
    ) {
        let scripts = self.collection.scripts.iter().chain(&request.scripts);
        for script in scripts.filter(|script| script.phase == phase) {
            let of_script = self.sandbox.run(script, &request.id, response).await;
            report.tests += of_script.tests;
            report.failures.extend(of_script.failures);
            report.next = of_script.next.or(report.next.take());
        }
    }

    /// The response to a request, for the sandbox.
    async fn response(&self, request: &Request, url: &str) -> Result<String, String> {
        let fill = |text: &str| self.sandbox.substitute(text);
        let method = request.method.parse().unwrap();
        let mut call = self.client.request(method, fill(url)?).timeout(TIMEOUT);
        for header in &request.headers {
            call = call.header(&header.key, fill(&header.value)?);
        }
        if let Some((user, password)) = &request.login {
            call = call.basic_auth(fill(user)?, Some(fill(password)?));
        }
        if let Some(body) = &request.body {
            call = call.body(fill(body)?);
        }
        let response = Response::to(call).await.map_err(|error| format!("{error:?}"))?;
        let headers: Vec<_> = response
            .headers
            .iter()
            .map(|(key, value)| json!({"key": key.as_str(), "value": value.to_str().unwrap()}))
            .collect();
        let for_sandbox =
            json!({"status": response.status, "headers": headers, "body": response.text});
        Ok(for_sandbox.to_string())
    }
}

impl Outcome {
    /// The failures of a request. A request without tests has failed: nothing was checked.
    fn failures_of(mut self, request: &str) -> Vec<String> {
        if self.tests == 0 && self.failures.is_empty() {
            self.failures.push("no test has run".to_owned());
        }
        self.failures.iter().map(|failure| format!("{request}: {failure}")).collect()
    }
}
