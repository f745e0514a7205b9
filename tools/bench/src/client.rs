//! A deliberately cheap HTTP/1.1 client: one keep-alive connection, one request
//! at a time, bytes that the caller has prepared.
//!
//! The load generator shares two cores with what it measures. A general client
//! costs several times as much per request, and would be measured along.

use anyhow::{Context, Result};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for an answer: orders of three lines take about a kilobyte.
const ROOM: usize = 4096;

/// Most headers of an answer.
const HEADERS: usize = 32;

/// A connection, opened again by the request that follows a failure.
#[derive(Debug)]
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// An answer, valid until the next request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    length: usize,
    /// How long the body is.
    body: usize,
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// If nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = connect(address).await.with_context(|| format!("nothing at {address}"))?;
        Ok(Self { address, stream: Some(stream), buffer: Vec::with_capacity(ROOM) })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If there is none, or none that this client understands.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        // Taken out, so that whatever goes wrong closes the connection.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await?,
        };
        stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.read_more(&mut stream).await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < head.length + head.body {
            self.read_more(&mut stream).await?;
        }
        self.stream = Some(stream);
        let body = self.buffer.get(head.length..head.length + head.body).unwrap_or_default();
        Ok(Answer { status: head.status, body })
    }

    async fn read_more(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        self.buffer.reserve(ROOM);
        match stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(()),
        }
    }
}

impl Head {
    /// Reads the head, if all of it is there.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes).map_err(io::Error::other)?
        else {
            return Ok(None);
        };
        let status = response.code.unwrap_or(0);
        let header =
            response.headers.iter().find(|it| it.name.eq_ignore_ascii_case("content-length"));
        let told = header.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
        let body = match told {
            Some(body) => body,
            // No content, which needs no length either.
            None if status == 204 => 0,
            None => return Err(io::Error::other("an answer without Content-Length")),
        };
        Ok(Some(Self { status, length, body }))
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nx: y\r\n\r\n{\"a\":1}";
        let head = Head::parse(text).unwrap().unwrap();
        assert_eq!((head.status, head.body, text.len() - head.length), (201, 7, 7));
        assert_eq!(Head::parse(&text[..30]).unwrap(), None);
        let nothing = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(Head::parse(nothing).unwrap().map(|head| head.body), Some(0));
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
