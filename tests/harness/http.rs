//! HTTP requests to services.

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// A complete response.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as JSON; null if it is not JSON.
    pub body: Value,
    /// The body as received.
    pub text: String,
}

impl Response {
    /// Sends a request.
    pub async fn to(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { status, headers, body, text })
    }

    /// An integer field of the body.
    pub fn integer(&self, field: &str) -> i64 {
        self.body[field].as_i64().unwrap_or_else(|| panic!("no integer {field}: {}", self.text))
    }

    /// The fixed text of a refusal.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// The id of the event that a command has appended to the outbox.
    pub fn event_id(&self) -> &str {
        self.headers["x-event-id"].to_str().unwrap()
    }

    /// Panics with the body if the status is another.
    #[track_caller]
    pub fn assert_status(&self, expected: u16) {
        assert_eq!(self.status, expected, "{}", self.text);
    }

    /// Panics with the body if the status or the fixed text is another.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, error: &str) {
        assert_eq!((self.status, self.error()), (status, error), "{}", self.text);
    }

    /// The response if it meets a condition, or else its body.
    pub fn ok_if(self, condition: impl FnOnce(&Self) -> bool) -> Result<Self, String> {
        if condition(&self) { Ok(self) } else { Err(format!("{} {}", self.status, self.text)) }
    }
}

/// A client that uses no proxy.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// A request with a JSON body.
pub fn json(client: &Client, method: Method, url: String, body: &str) -> RequestBuilder {
    client.request(method, url).header("content-type", "application/json").body(body.to_owned())
}
