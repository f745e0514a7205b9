//! A service's operations port.

use crate::arguments::Credential;
use anyhow::{Context, Result, bail};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method};
use serde_json::Value;
use std::time::Duration;

/// A service that does not answer by then is not there.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A service's operations port.
#[derive(Debug)]
pub struct Operations {
    client: Client,
    url: String,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The cursor of the next page, if there is one.
    pub next_cursor: Option<String>,
    /// JSON.
    pub body: Value,
}

impl Operations {
    /// The port at `url`, whose port number is moved by `port_offset`.
    pub fn at(url: &str, port_offset: u16, credential: &Credential) -> Result<Self> {
        let mut url: reqwest::Url = url.parse().with_context(|| format!("{url} is no URL"))?;
        if let Some(port) = url.port() {
            let port = port.checked_add(port_offset).context("--port-offset is too large")?;
            url.set_port(Some(port)).ok().context("the URL cannot have a port")?;
        }
        let client = Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .default_headers(credential.headers()?)
            .build()?;
        Ok(Self { client, url: url.as_str().trim_end_matches('/').to_owned() })
    }

    /// Sends a request and reads the answer, whatever its status.
    pub async fn ask(&self, method: Method, path: &str, query: &[(&str, &str)]) -> Result<Answer> {
        let request = self.client.request(method, format!("{}{path}", self.url)).query(query);
        let response = request.send().await.with_context(|| {
            format!("no answer from {}: is the stack up, and on this port?", self.url)
        })?;
        let status = response.status().as_u16();
        let cursor = response.headers().get("x-next-cursor").and_then(|value| value.to_str().ok());
        let next_cursor = cursor.map(str::to_owned);
        let text = response.text().await.context("half an answer")?;
        let body = serde_json::from_str(&text)
            .with_context(|| format!("{} answers {status}, and not with JSON", self.url))?;
        Ok(Answer { status, next_cursor, body })
    }
}

impl Credential {
    /// What goes with every request.
    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if let Some(key) = &self.api_key {
            let mut key = HeaderValue::try_from(key).context("--api-key is no API key")?;
            key.set_sensitive(true);
            headers.insert("x-api-key", key);
        }
        Ok(headers)
    }
}

impl Answer {
    /// The body of a success.
    pub fn success(self) -> Result<Value> {
        if self.status < 300 {
            return Ok(self.body);
        }
        bail!("{}", self.complaint());
    }

    /// What the service says is wrong, and where.
    pub fn complaint(&self) -> String {
        let text =
            |value: &Value, member: &str| value[member].as_str().unwrap_or_default().to_owned();
        let error = text(&self.body, "error");
        let fields: Vec<String> = self.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|wrong| format!("{} {}", text(wrong, "field"), text(wrong, "message")))
            .collect();
        match (fields.join(", "), text(&self.body, "detail")) {
            (fields, _) if !fields.is_empty() => format!("{error}: {fields}"),
            (_, detail) if !detail.is_empty() => format!("{error}: {detail}"),
            _ => error,
        }
    }
}
