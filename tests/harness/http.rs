//! Requests to services.

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;

/// An response, read whole.
#[derive(Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body; null if it is no JSON.
    pub body: Value,
    /// The body as it came.
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

    /// A member that is a whole number.
    pub fn integer(&self, member: &str) -> i64 {
        self.body[member].as_i64().unwrap_or_else(|| panic!("no integer {member}: {}", self.text))
    }

    /// The fixed text of a refusal.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }
}

/// A client without proxies, and one request with JSON.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// A request with a JSON body.
pub fn json(client: &Client, method: Method, url: String, body: &str) -> RequestBuilder {
    client.request(method, url).header("content-type", "application/json").body(body.to_owned())
}
