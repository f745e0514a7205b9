//! A small HTTP/1.1 client for measurements: a keep-alive connection with one request at a
//! time, whose bytes the caller prepares.
//!
//! The load generators share two cores with what they measure. A general client takes
//! several times as much processor time per request.

use std::fmt::Display;
use std::io::{self, Write};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Free space of the buffer before each read. An order of three lines takes about a
/// kilobyte.
const READ_SIZE: usize = 4096;

/// Maximum number of headers of a response.
const HEADERS: usize = 64;

/// A connection. It is opened by the first request, and again by the first one after a
/// failure.
#[derive(Debug)]
pub struct Connection {
    authority: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// A response, valid until the next request.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub enum Lost {
    /// The request was not sent, so it had no effect.
    NotSent(String),
    /// The request was sent, at least in part, so it may have had an effect.
    Unanswered(String),
}

/// The head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// The bytes before the body.
    length: usize,
    body: Body,
    /// Whether the server closes the connection after this response.
    closes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length(usize),
    Chunked,
}

impl Connection {
    /// A connection to a host and port, not yet opened.
    pub fn new(authority: impl Display) -> Self {
        let authority = authority.to_string();
        Self { authority, stream: None, buffer: Vec::with_capacity(READ_SIZE) }
    }

    /// Opens the connection unless it is open.
    ///
    /// # Errors
    /// If the server does not accept it.
    pub async fn open(&mut self) -> io::Result<()> {
        if !self.stream.as_ref().is_some_and(is_open) {
            let stream = TcpStream::connect(&self.authority).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends a request and reads its response. Nothing is sent twice.
    ///
    /// # Errors
    /// If there is no response, or none that this client can read.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, Lost> {
        self.open().await.map_err(|error| Lost::NotSent(error.to_string()))?;
        // Taken out, so that a failure or a timeout closes the connection.
        let stream = self.stream.take();
        let mut stream = stream.ok_or_else(|| Lost::NotSent("no connection".to_owned()))?;
        let head = self.round_trip(&mut stream, request).await;
        let head = head.map_err(|error| Lost::Unanswered(error.to_string()))?;
        if !head.closes {
            self.stream = Some(stream);
        }
        let body = self.buffer.get(head.length..).unwrap_or_default();
        Ok(Response { status: head.status, body })
    }

    /// Leaves the head and the body in the buffer.
    async fn round_trip(&mut self, stream: &mut TcpStream, request: &[u8]) -> io::Result<Head> {
        stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read_more(stream).await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
        };
        match head.body {
            Body::Length(length) => {
                while self.buffer.len() < head.length + length {
                    self.read_more(stream).await?;
                }
                self.buffer.truncate(head.length + length);
            }
            Body::Chunked => self.read_chunks(stream, head.length).await?,
        }
        Ok(head)
    }

    /// Reads the chunks from `start` on and joins their data in place.
    async fn read_chunks(&mut self, stream: &mut TcpStream, start: usize) -> io::Result<()> {
        let (mut next, mut joined) = (start, start);
        loop {
            let rest = self.buffer.get(next..).unwrap_or_default();
            let size = httparse::parse_chunk_size(rest).map_err(|_| invalid("chunk size"))?;
            if let httparse::Status::Complete((skipped, size)) = size {
                let data = next + skipped;
                let end = usize::try_from(size).ok().and_then(|size| data.checked_add(size));
                let end = end.ok_or_else(|| invalid("chunk size"))?;
                // A line break follows the data.
                if self.buffer.len() >= end.saturating_add(2) {
                    self.buffer.copy_within(data..end, joined);
                    joined += end - data;
                    next = end + 2;
                    if end == data {
                        self.buffer.truncate(joined);
                        return Ok(());
                    }
                    continue;
                }
            }
            self.read_more(stream).await?;
        }
    }

    async fn read_more(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        self.buffer.reserve(READ_SIZE);
        match stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::other("the connection was closed")),
            _ => Ok(()),
        }
    }
}

impl Head {
    /// Reads the head if it is complete.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(io::Error::other)?
        else {
            return Ok(None);
        };
        let status = response.code.unwrap_or(0);
        let header = |name: &str| {
            let header = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case(name));
            header.and_then(|header| std::str::from_utf8(header.value).ok())
        };
        let is = |name, value: &str| header(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
        let body = match header("content-length").map(str::parse) {
            Some(length) => Body::Length(length.map_err(|_| invalid("Content-Length"))?),
            None if is("transfer-encoding", "chunked") => Body::Chunked,
            None if status == 204 => Body::Length(0),
            None => return Err(io::Error::other("a response without a length")),
        };
        Ok(Some(Self { status, length, body, closes: is("connection", "close") }))
    }
}

/// Writes a request in place of what is in the buffer. `headers` are whole lines, `Host`
/// among them; those of a JSON body are added.
pub fn write_request(
    buffer: &mut Vec<u8>,
    method: &str,
    target: impl Display,
    headers: &str,
    body: &[u8],
) {
    buffer.clear();
    let _ = write!(buffer, "{method} {target} HTTP/1.1\r\n{headers}");
    if !body.is_empty() {
        let length = body.len();
        let _ = write!(buffer, "Content-Type: application/json\r\nContent-Length: {length}\r\n");
    }
    buffer.extend_from_slice(b"\r\n");
    buffer.extend_from_slice(body);
}

/// Whether the server has neither closed the idle connection nor sent anything on it.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn invalid(what: &str) -> io::Error {
    io::Error::other(format!("an invalid {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nx: y\r\n\r\n{\"a\":1}";
        let head = Head::parse(text).unwrap().unwrap();
        assert_eq!((head.status, text.len() - head.length), (201, 7));
        assert_eq!((head.body, head.closes), (Body::Length(7), false));
        assert_eq!(Head::parse(&text[..30]).unwrap(), None);
        let nothing = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        let head = Head::parse(nothing).unwrap().unwrap();
        assert_eq!((head.body, head.closes), (Body::Length(0), true));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_states_the_length_of_its_body() {
        let mut request = b"what was there before".to_vec();
        write_request(&mut request, "POST", "/x", "Host: a\r\n", b"{}");
        let head = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
        let expected = format!("{head}Content-Length: 2\r\n\r\n{{}}");
        assert_eq!(String::from_utf8(request).unwrap(), expected);
    }

    /// A server that sends each response to one request on a connection of its own, reads
    /// one more request, and closes the connection.
    async fn server(responses: Vec<&'static str>) -> Connection {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for response in responses {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut read = vec![0; 4096];
                assert!(stream.read(&mut read).await.unwrap() > 0);
                stream.write_all(response.as_bytes()).await.unwrap();
                let _ = stream.read(&mut read).await;
            }
        });
        Connection::new(address)
    }

    const CREATED: &str = "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}";

    #[tokio::test]
    async fn an_unanswered_request_is_not_repeated() {
        let mut connection = server(vec![CREATED, CREATED]).await;
        assert_eq!(connection.exchange(b"1").await.unwrap().status, 201);
        let lost = connection.exchange(b"2").await.unwrap_err();
        assert!(matches!(lost, Lost::Unanswered(_)), "{lost:?}");
        // The next request opens another connection.
        assert_eq!(connection.exchange(b"3").await.unwrap().body, b"{}");
    }

    #[tokio::test]
    async fn a_request_without_a_server_is_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut connection = Connection::new(listener.local_addr().unwrap());
        drop(listener);
        let lost = connection.exchange(b"1").await.unwrap_err();
        assert!(matches!(lost, Lost::NotSent(_)), "{lost:?}");
    }

    #[tokio::test]
    async fn chunks_are_joined() {
        let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                        3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
        let mut connection = server(vec![response]).await;
        assert_eq!(connection.exchange(b"1").await.unwrap().body, b"[1,2]");
    }
}
