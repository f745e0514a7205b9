//! The connection of a worker to one server.

use http::{HeaderValue, Uri};
use kit::{Lost, Response, write_request};
use std::fmt;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The longest wait for a response. The services respond to commands within 30 s, if only with an
/// error.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(35);

/// A request counts as not sent if no connection can be opened for this long. A service that
/// is restarted is back within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between two attempts to connect.
const CONNECT_INTERVAL: Duration = Duration::from_millis(250);

/// Where requests are sent: scheme `http`, host, port, and a prefix of all paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    authority: String,
    /// The prefix, without a slash at its end.
    base: String,
    /// Sent with every request.
    pub api_key: Option<HeaderValue>,
}

/// A connection, opened by the first request and again after a failure.
#[derive(Debug)]
pub struct Connection<'a> {
    server: &'a Server,
    /// The headers of every request.
    headers: String,
    http: kit::Connection,
    request: Vec<u8>,
}

impl Server {
    /// A port of this machine.
    pub fn local(port: u16) -> Self {
        Self { authority: format!("localhost:{port}"), base: String::new(), api_key: None }
    }

    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        match (uri.scheme_str(), uri.host(), uri.query()) {
            (Some("http"), Some(host), None) => Ok(Self {
                authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)),
                base: uri.path().trim_end_matches('/').to_owned(),
                api_key: None,
            }),
            _ => Err("must be like http://localhost:8080".to_owned()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.base)
    }
}

/// Reads an API key, which is never shown.
pub fn parse_api_key(text: &str) -> Result<HeaderValue, &'static str> {
    let key = HeaderValue::try_from(text).ok();
    let key = key.filter(|key| !key.is_empty() && key.to_str().is_ok());
    let mut key = key.ok_or("must be an API key")?;
    key.set_sensitive(true);
    Ok(key)
}

impl<'a> Connection<'a> {
    /// A connection that the first request opens.
    pub fn new(server: &'a Server) -> Self {
        let mut headers = format!("Host: {}\r\n", server.authority);
        if let Some(key) = server.api_key.as_ref().and_then(|key| key.to_str().ok()) {
            headers += &format!("X-Api-Key: {key}\r\n");
        }
        let http = kit::Connection::new(&server.authority);
        Self { server, headers, http, request: Vec::new() }
    }

    /// Gets `path`, percent-encoded.
    pub async fn get(&mut self, path: &str) -> Result<Response<'_>, Lost> {
        self.send("GET", path, b"", Instant::now() + CONNECT_TIMEOUT).await
    }

    /// Gets `path`, and fails at once if the server refuses the connection.
    pub async fn get_once(&mut self, path: &str) -> Result<Response<'_>, Lost> {
        self.send("GET", path, b"", Instant::now()).await
    }

    /// Posts JSON to `path`. Nothing is sent twice.
    pub async fn post(&mut self, path: &str, json: &[u8]) -> Result<Response<'_>, Lost> {
        self.send("POST", path, json, Instant::now() + CONNECT_TIMEOUT).await
    }

    /// Puts JSON to `path`. Nothing is sent twice.
    pub async fn put(&mut self, path: &str, json: &[u8]) -> Result<Response<'_>, Lost> {
        self.send("PUT", path, json, Instant::now() + CONNECT_TIMEOUT).await
    }

    async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: &[u8],
        deadline: Instant,
    ) -> Result<Response<'_>, Lost> {
        loop {
            match timeout(CONNECT_TIMEOUT, self.http.open()).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) if Instant::now() >= deadline => {
                    return Err(Lost::NotSent(format!("cannot connect: {error}")));
                }
                Ok(Err(_)) => sleep(CONNECT_INTERVAL).await,
                Err(_) => return Err(Lost::NotSent("cannot connect: no response".to_owned())),
            }
        }
        let target = format_args!("{}{path}", self.server.base);
        write_request(&mut self.request, method, target, &self.headers, body);
        let exchange = timeout(RESPONSE_TIMEOUT, self.http.exchange(&self.request));
        exchange.await.unwrap_or_else(|_| {
            let seconds = RESPONSE_TIMEOUT.as_secs();
            Err(Lost::Unanswered(format!("no response within {seconds} s")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_http_url() {
        let shown = |url: &str| Server::parse(url).map(|server| server.to_string()).ok();
        assert_eq!(shown("http://localhost:8080/").as_deref(), Some("http://localhost:8080"));
        assert_eq!(shown("http://[::1]/shop/").as_deref(), Some("http://[::1]:80/shop"));
        for bad in ["https://localhost", "localhost:8080", "http://a/?b=c", "/x", ""] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_api_key_is_one_line_and_is_not_shown() {
        assert!(parse_api_key("a\r\nx: y").is_err());
        assert_eq!(format!("{:?}", parse_api_key("shop_1").unwrap()), "Sensitive");
    }
}
