//! A connection's stream, filtered: see [`Filter`].

use super::filter::Filter;
use super::inbox::Inbox;
use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use std::future::ready;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Context, Poll};
use std::time::{Duration, Instant};

/// Size of a read, in bytes.
const CHUNK: usize = 64 << 10;

/// Tokio's stream, with or without TLS.
type Unfiltered = AsyncTcpStream<<Tokio as Reactor>::TcpStream>;

/// Connects with a filtered stream.
pub async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    inbox: Arc<Inbox>,
) -> lapin::Result<Connection> {
    let tokio = Tokio::current();
    let unfiltered = Runtime::new(tokio.clone());
    let connect = async move |uri: AMQPUri, _| {
        let frame_max = uri.query.frame_max.unwrap_or_default() as usize;
        let stream = uri.connect_async(&unfiltered).await?;
        let filter = Filter::new(inbox.clone(), frame_max);
        let (input, output) = (vec![0; CHUNK].into(), Vec::new());
        Ok(AsyncTcpStream::Plain(Filtered { stream, filter, input, output, read: 0 }))
    };
    let runtime = Runtime::new(RuntimeParts::new(tokio.clone(), Filtering(tokio)));
    Connection::connector(uri, runtime, connect, properties).await
}

/// A stream whose input is filtered.
struct Filtered {
    stream: Unfiltered,
    filter: Filter,
    input: Box<[u8]>,
    /// Filtered bytes; those before `read` have been read.
    output: Vec<u8>,
    read: usize,
}

impl AsyncRead for Filtered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, filter, input, output, read } = self.get_mut();
        while *read == output.len() {
            output.clear();
            *read = 0;
            match task::ready!(Pin::new(&mut *stream).poll_read(context, input))? {
                0 => return Poll::Ready(Ok(0)),
                bytes => filter.feed(&input[..bytes], output),
            }
        }
        let bytes = buffer.len().min(output.len() - *read);
        buffer[..bytes].copy_from_slice(&output[*read..*read + bytes]);
        *read += bytes;
        Poll::Ready(Ok(bytes))
    }
}

impl AsyncWrite for Filtered {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, buffer)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, buffers)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_close(context)
    }
}

/// Tokio's reactor with [`Filtered`] as the type of its streams, which `connect` makes.
#[derive(Clone, Debug)]
struct Filtering(Tokio);

impl Reactor for Filtering {
    type TcpStream = Filtered;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Filtered, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        _: SocketAddr,
    ) -> impl Future<Output = io::Result<Filtered>> + Send + 'static {
        ready(Err(io::ErrorKind::Unsupported.into()))
    }
}
