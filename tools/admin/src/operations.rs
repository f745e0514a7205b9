//! A service's operations port.

use crate::arguments::Access;
use anyhow::{Context, Result, bail};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;
use std::time::Duration;

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A service's operations port.
#[derive(Debug)]
pub struct Operations {
    client: Client,
    url: String,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
    pub body: Value,
}

impl Operations {
    /// The service at `url`, with the offset added to its port.
    pub fn at(url: &str, Access { port_offset, api_key }: &Access) -> Result<Self> {
        let mut url: reqwest::Url = url.parse().with_context(|| format!("{url} is not a URL"))?;
        if let Some(port) = url.port() {
            let port = port.checked_add(*port_offset).context("--port-offset is too large")?;
            url.set_port(Some(port)).ok().context("the URL cannot have a port")?;
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut key = HeaderValue::try_from(key).context("--api-key is not an API key")?;
            key.set_sensitive(true);
            headers.insert("x-api-key", key);
        }
        let client =
            Client::builder().no_proxy().timeout(TIMEOUT).default_headers(headers).build()?;
        Ok(Self { client, url: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Sends a request and reads the response with any status.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Response> {
        let request = self.client.request(method, format!("{}{path}", self.url)).query(query);
        let response = request.send().await.with_context(|| {
            format!(
                "no response from {} (is the stack running, and does it have another \
                 --port-offset or --url?)",
                self.url
            )
        })?;
        let status = response.status().as_u16();
        let cursor = response.headers().get("x-next-cursor").and_then(|value| value.to_str().ok());
        let next_cursor = cursor.map(str::to_owned);
        let text = response.text().await.context("the response is incomplete")?;
        let body = serde_json::from_str(&text)
            .with_context(|| format!("{} responds {status}, and not with JSON", self.url))?;
        Ok(Response { status, next_cursor, body })
    }
}

impl Response {
    /// The body of a successful response, or the problem as an error.
    pub fn success(self) -> Result<Value> {
        if self.status < 300 {
            return Ok(self.body);
        }
        bail!("{}", self.problem());
    }

    /// The problem that the service reports, with the fields.
    pub fn problem(&self) -> String {
        let text =
            |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
        let error = text(&self.body, "error");
        let fields = self.body["errors"].as_array().into_iter().flatten();
        let fields: Vec<String> = fields
            .map(|error| format!("{} {}", text(error, "field"), text(error, "message")))
            .collect();
        let details = [fields.join(", "), text(&self.body, "detail")];
        match details.iter().find(|details| !details.is_empty()) {
            Some(details) => format!("{error}: {details}"),
            None => error,
        }
    }
}
