//! HTTP/1.1 to one server: a keep-alive connection per worker.
//!
//! What became of a request that got no answer is told apart: one that was
//! never sent had no effect, any other may have had.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How long an answer may take. The services answer within 15 s, if only to say
/// that they could not.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection is tried for before a request counts as not sent: a
/// service that is started again is back by then.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries to connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(250);

/// The header that names the next page of a list.
const NEXT_CURSOR: &str = "x-next-cursor";

/// Where requests go: scheme `http`, host, port, and a path that may stand
/// before all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Host and port, as in the header `Host`.
    authority: String,
    /// Without a slash at its end.
    base: String,
    /// What says who calls, if anybody asks.
    api_key: Option<HeaderValue>,
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The header `X-Next-Cursor`.
    pub next_cursor: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The request was never sent.
    NotSent(String),
    /// The request was sent, at least in part.
    Unanswered(String),
}

/// A connection, opened when it is needed and again after a failure.
#[derive(Debug)]
pub struct Connection<'a> {
    server: &'a Server,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Server {
    /// A port of this machine.
    pub fn local(port: u16) -> Self {
        Self { authority: format!("localhost:{port}"), base: String::new(), api_key: None }
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// What it must be.
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

    /// The same, called with an API key.
    pub fn with_key(self, key: HeaderValue) -> Self {
        Self { api_key: Some(key), ..self }
    }
}

/// Reads an API key.
///
/// # Errors
/// What it must be.
pub fn api_key(text: &str) -> Result<HeaderValue, String> {
    let mut key = HeaderValue::try_from(text).map_err(|_| "must be an API key".to_owned())?;
    key.set_sensitive(true);
    Ok(key)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.base)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) | Self::Unanswered(why) => f.write_str(why),
        }
    }
}

impl<'a> Connection<'a> {
    /// A connection to be opened by the first request.
    pub const fn new(server: &'a Server) -> Self {
        Self { server, sender: None }
    }

    /// Reads `path`, percent-encoded.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer, Lost> {
        let request = self.request(Method::GET, path, Bytes::new())?;
        self.send(request).await
    }

    /// Reads `path`, and does not wait for a server that is not there.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get_once(&mut self, path: &str) -> Result<Answer, Lost> {
        if self.sender.is_none() {
            let connected = timeout(CONNECT_PATIENCE, connect(&self.server.authority)).await;
            let connected = connected.unwrap_or_else(|_| Err("no answer".to_owned()));
            self.sender = Some(connected.map_err(Lost::NotSent)?);
        }
        self.get(path).await
    }

    /// Sends JSON to `path`. Nothing is ever sent twice.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&mut self, path: &str, json: Vec<u8>) -> Result<Answer, Lost> {
        let request = self.request(Method::POST, path, json.into())?;
        self.send(request).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, Lost> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server.base))
            .header(HOST, &self.server.authority)
            .header(CONTENT_TYPE, "application/json");
        let request = match &self.server.api_key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        };
        request.body(Full::new(body)).map_err(|error| Lost::NotSent(error.to_string()))
    }

    async fn send(&mut self, mut request: Request<Full<Bytes>>) -> Result<Answer, Lost> {
        let give_up = Instant::now() + CONNECT_PATIENCE;
        loop {
            // Taken out, so that whatever goes wrong closes the connection.
            let mut sender = self.open_sender(give_up).await?;
            let unsent = match timeout(ANSWER_PATIENCE, sender.try_send_request(request)).await {
                Ok(Ok(response)) => {
                    let answer = read_whole(response).await?;
                    self.sender = Some(sender);
                    return Ok(answer);
                }
                Ok(Err(mut failure)) => {
                    let why = failure.error().to_string();
                    failure.take_message().ok_or(Lost::Unanswered(why))?
                }
                Err(_) => return Err(no_answer()),
            };
            if Instant::now() >= give_up {
                return Err(Lost::NotSent("every connection is closed at once".to_owned()));
            }
            // The server had closed the connection while it was idle.
            request = unsent;
        }
    }

    /// The open connection, or a new one.
    async fn open_sender(&mut self, give_up: Instant) -> Result<SendRequest<Full<Bytes>>, Lost> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        loop {
            match timeout(CONNECT_PATIENCE, connect(&self.server.authority)).await {
                Ok(Ok(sender)) => return Ok(sender),
                Ok(Err(why)) if Instant::now() >= give_up => {
                    return Err(Lost::NotSent(format!("cannot connect: {why}")));
                }
                Ok(Err(_)) => sleep(CONNECT_PAUSE).await,
                Err(_) => return Err(Lost::NotSent("cannot connect: no answer".to_owned())),
            }
        }
    }
}

async fn connect(authority: &str) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Its errors are those of the request under way.
    tokio::spawn(connection);
    Ok(sender)
}

async fn read_whole(response: Response<Incoming>) -> Result<Answer, Lost> {
    let status = response.status().as_u16();
    let cursor = response.headers().get(NEXT_CURSOR).and_then(|value| value.to_str().ok());
    let next_cursor = cursor.map(str::to_owned);
    match timeout(ANSWER_PATIENCE, response.into_body().collect()).await {
        Ok(Ok(body)) => Ok(Answer { status, next_cursor, body: body.to_bytes() }),
        Ok(Err(error)) => Err(Lost::Unanswered(format!("half an answer: {error}"))),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> Lost {
    Lost::Unanswered(format!("no answer within {} s", ANSWER_PATIENCE.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn a_server_is_an_http_url() {
        let shown = |url: &str| Server::parse(url).map(|server| server.to_string()).ok();
        assert_eq!(shown("http://localhost:8080/").as_deref(), Some("http://localhost:8080"));
        assert_eq!(shown("http://[::1]/shop/").as_deref(), Some("http://[::1]:80/shop"));
        for bad in ["https://localhost", "localhost:8080", "http://a/?b=c", "/x", ""] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    /// A server that answers the first request of each of `connections`
    /// connections, and closes it with the second unanswered.
    async fn answering_once(connections: usize) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut read = vec![0; 4096];
                assert!(stream.read(&mut read).await.unwrap() > 0);
                let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer).await.unwrap();
                let _ = stream.read(&mut read).await;
            }
        });
        Server::local(port)
    }

    #[tokio::test]
    async fn a_request_that_was_sent_and_not_answered_is_not_repeated() {
        let server = answering_once(2).await;
        let mut connection = Connection::new(&server);
        assert_eq!(connection.post("/x", b"{}".to_vec()).await.unwrap().status, 201);
        let lost = connection.post("/x", b"{}".to_vec()).await.unwrap_err();
        assert!(matches!(lost, Lost::Unanswered(_)), "{lost:?}");
        // The next request opens another connection.
        assert_eq!(connection.get("/x").await.unwrap().body, "{}");
    }

    #[tokio::test]
    async fn without_a_server_nothing_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server::local(listener.local_addr().unwrap().port());
        drop(listener);
        let lost = Connection::new(&server).get_once("/x").await.unwrap_err();
        assert!(matches!(lost, Lost::NotSent(_)), "{lost:?}");
    }
}
