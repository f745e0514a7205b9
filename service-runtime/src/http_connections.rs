//! Connections of HTTP clients, with limits: how many, in all and from one address, how
//! long a head may take, how long a client may leave an answer unread, and how long an
//! end may take.

use crate::traffic::{Clients, Connected, Place};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

/// Most bytes of a request's head. Beyond that, and beyond a hundred headers, hyper
/// answers 431.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// How long requests under way may go on after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait when the system has no room for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(100);

/// Limits of a server's connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most connections. More wait until one is closed.
    connections: usize,
    /// How long a client may take to send a request's head, and so also how long a
    /// connection may be idle. The gateway closes its own sooner.
    head: Duration,
    /// How long a client may take none of its answer, while the system's buffers are
    /// full of it. Else one that never reads would hold its place for ever.
    stall: Duration,
    /// Most connections from one address. More are closed at once.
    clients: Clients,
}

impl Limits {
    /// The same for every server, but for what is set for clients.
    pub fn of(clients: Clients) -> Self {
        let (head, stall) = (Duration::from_secs(20), Duration::from_secs(20));
        Self { connections: 4096, head, stall, clients }
    }
}

/// A client's connection, with its places among all and among those of its address.
#[derive(Debug)]
struct Accepted {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    peer: SocketAddr,
    places: (OwnedSemaphorePermit, Place),
}

/// Serves `routes` until shutdown. Requests under way then are finished, within a
/// deadline; connections that wait for a request are closed.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let connected = Connected::default();
    let under_way = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HEAD_BYTES);
    // A client that has sent its request and shut down its write side, as `nc -N` does,
    // still waits for the response. A closed connection looks the same until the server
    // writes to it, so its request is carried out, within its deadline.
    http.half_close(true);
    let next = || accept(&listener, &room, &connected, &limits);
    while let Some(accepted) = shutdown.run_until_cancelled(next()).await {
        let Some(Accepted { stream, peer, places }) = accepted else { continue };
        let service = routes.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = under_way.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop(places);
        });
    }
    // Whoever comes now is to be refused, not left waiting.
    drop(listener);
    // A client that never finishes its request must not keep us from ending.
    if timeout(DRAIN, under_way.shutdown()).await.is_err() {
        warn!("stopping: some requests were not finished within {} s", DRAIN.as_secs());
    }
}

/// The next connection, as soon as there is room for it.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
    connected: &Connected,
    limits: &Limits,
) -> Option<Accepted> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let place = limits.clients.enter(connected, peer.ip());
            if place.is_none() {
                debug!("{} has too many connections", peer.ip());
            }
            // Answers are written whole: nothing is gained by waiting for more.
            stream.set_nodelay(true).ok()?;
            let mut stream = TimeoutStream::new(stream);
            stream.set_write_timeout(Some(limits.stall));
            Some(Accepted { stream: Box::pin(stream), peer, places: (permit, place?) })
        }
        Err(error) if is_of_the_connection(&error) => None,
        Err(error) => {
            warn!("cannot take another connection: {error}");
            sleep(OUT_OF_FILES_PAUSE).await;
            None
        }
    }
}

/// Whether only this connection is concerned: its client has left.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::TrafficSettings;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::DropGuard;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// What does not happen by then, on a busy machine, will not.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// Limits that no test reaches but for those that it changes.
    fn limits() -> Limits {
        let settings = TrafficSettings {
            rate_limit: 0,
            rate_limit_burst: 0,
            trusted_proxies: Default::default(),
            connections_per_address: 100,
        };
        let (head, stall) = (DEADLINE, DEADLINE);
        Limits { connections: 100, head, stall, clients: Clients::of(&settings) }
    }

    /// A server that answers with a mebibyte, until the guard is dropped.
    async fn server(limits: Limits) -> (SocketAddr, DropGuard) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let routes = Router::new().route("/", get(|| async { "x".repeat(1 << 20) }));
        tokio::spawn(serve(listener, routes, limits, shutdown.clone()));
        (address, shutdown.drop_guard())
    }

    #[tokio::test]
    async fn a_client_that_never_reads_loses_its_connection() {
        let limits = Limits { stall: Duration::from_millis(300), ..limits() };
        let (address, _guard) = server(limits).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        // It asks for more and more, so that no buffer is large enough.
        let asking = async { while client.write_all(REQUEST).await.is_ok() {} };
        timeout(DEADLINE, asking).await.unwrap();
    }

    #[tokio::test]
    async fn a_client_that_asks_ahead_gets_all_answers() {
        let (address, _guard) = server(limits()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        for _ in 0..20 {
            client.write_all(REQUEST).await.unwrap();
        }
        let mut read = 0;
        let mut part = vec![0; 1 << 18];
        while read < 20 << 20 {
            read += timeout(DEADLINE, client.read(&mut part)).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_client_that_shuts_down_its_write_side_gets_its_response() {
        let (address, _guard) = server(limits()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST).await.unwrap();
        client.shutdown().await.unwrap();
        let mut response = Vec::new();
        timeout(DEADLINE, client.read_to_end(&mut response)).await.unwrap().unwrap();
        assert!(response.starts_with(b"HTTP/1.1 200") && response.len() > 1 << 20);
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_ends_the_connection() {
        let limits = Limits { head: Duration::from_millis(200), ..limits() };
        let (address, _guard) = server(limits).await;
        for begun in [&b""[..], b"GET / HTTP/1.1\r\n"] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(begun).await.unwrap();
            let mut answer = Vec::new();
            timeout(DEADLINE, client.read_to_end(&mut answer)).await.unwrap().unwrap();
            assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn more_connections_than_there_may_be_wait() {
        let (address, _guard) = server(Limits { connections: 1, ..limits() }).await;
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(REQUEST).await.unwrap();
        let mut part = [0; 16];
        first.read_exact(&mut part).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(REQUEST).await.unwrap();
        assert!(second.try_read(&mut part).is_err());
        drop(first);
        timeout(DEADLINE, second.read_exact(&mut part)).await.unwrap().unwrap();
        assert!(part.starts_with(b"HTTP/1.1 200"));
    }
}
