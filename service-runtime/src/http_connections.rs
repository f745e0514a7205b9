//! HTTP connections and their limits: number in total and per address, time to send a
//! request head, time without reading a response, and time to finish at shutdown.

use crate::traffic::{Clients, Connected};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};

/// Maximum size of a request head. If it is larger or has more than a hundred headers,
/// hyper responds 431.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Time for requests in progress to finish at shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Limits of a server's connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Maximum number of connections. Further ones wait until one is closed.
    connections: usize,
    /// Time for a client to send a request head, and so also the idle time of a connection.
    /// The gateway closes its idle connections sooner.
    head: Duration,
    /// Time for which a client may read nothing of its response while the system's buffers
    /// are full. Without this limit, a client that never reads would keep its connection
    /// forever.
    stall: Duration,
    /// Limits the connections from one address. Further ones are closed immediately.
    clients: Clients,
}

impl Limits {
    /// The limits of every server; only those of `clients` are configurable.
    pub fn new(clients: Clients) -> Self {
        let (head, stall) = (Duration::from_secs(20), Duration::from_secs(20));
        Self { connections: 4096, head, stall, clients }
    }
}

/// Serves `routes` until shutdown. Requests in progress are then finished, within a
/// deadline; idle connections are closed.
pub async fn serve(
    mut listener: TcpListener,
    routes: Router,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(limits.connections));
    let connected = Connected::default();
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(MAX_HEAD_BYTES);
    // A client that has sent its request and shut down its write side, as `nc -N` does,
    // still waits for the response. A closed connection looks the same until the server
    // writes to it, so its request is carried out, within its deadline.
    http.half_close(true);
    loop {
        // The next connection, once their number is below the limit. If the system cannot accept
        // one, for example without a free file descriptor, `accept` logs it and tries again.
        let next =
            async { (free.clone().acquire_owned().await, Listener::accept(&mut listener).await) };
        let Some((permit, (stream, peer))) = shutdown.run_until_cancelled(next).await else {
            break;
        };
        let Some(place) = limits.clients.enter(&connected, peer.ip()) else {
            debug!("{} has too many connections", peer.ip());
            continue;
        };
        // Responses are written whole, so delaying small packets gains nothing. This fails only if
        // the client has disconnected.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.stall));
        let service = routes.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection =
            connections.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop((permit, place));
        });
    }
    // The system refuses new connections instead of queueing them.
    drop(listener);
    // A client that never finishes its request must not prevent the shutdown.
    if timeout(DRAIN_TIMEOUT, connections.shutdown()).await.is_err() {
        warn!("stopping: some requests were not finished within {} s", DRAIN_TIMEOUT.as_secs());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::TrafficSettings;
    use axum::routing::get;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio_util::sync::DropGuard;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    /// Generous, for a busy machine.
    const DEADLINE: Duration = Duration::from_secs(30);

    /// Limits that no test reaches, unless it changes them.
    fn limits() -> Limits {
        let clients = Clients::of(&TrafficSettings::without_rate_limit());
        Limits { connections: 100, head: DEADLINE, stall: DEADLINE, clients }
    }

    /// A server whose responses have 1 MiB, until the guard is dropped.
    async fn server(limits: Limits) -> (SocketAddr, DropGuard) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let routes = Router::new().route("/", get(|| async { "x".repeat(1 << 20) }));
        tokio::spawn(serve(listener, routes, limits, shutdown.clone()));
        (address, shutdown.drop_guard())
    }

    /// A connection on which these bytes have been sent.
    async fn sent(address: SocketAddr, bytes: &[u8]) -> TcpStream {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(bytes).await.unwrap();
        client
    }

    async fn read_to_end(mut client: TcpStream) -> Vec<u8> {
        let mut response = Vec::new();
        timeout(DEADLINE, client.read_to_end(&mut response)).await.unwrap().unwrap();
        response
    }

    #[tokio::test]
    async fn a_client_that_never_reads_loses_its_connection() {
        let limits = Limits { stall: Duration::from_millis(300), ..limits() };
        let (address, _guard) = server(limits).await;
        let mut client = sent(address, b"").await;
        // It sends requests until the responses fill all buffers.
        let sending = async { while client.write_all(REQUEST).await.is_ok() {} };
        timeout(DEADLINE, sending).await.unwrap();
    }

    #[tokio::test]
    async fn pipelined_requests_all_get_a_response() {
        let (address, _guard) = server(limits()).await;
        let mut client = sent(address, &REQUEST.repeat(20)).await;
        let mut read = 0;
        let mut part = vec![0; 1 << 18];
        while read < 20 << 20 {
            read += timeout(DEADLINE, client.read(&mut part)).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_client_that_shuts_down_its_write_side_gets_its_response() {
        let (address, _guard) = server(limits()).await;
        let mut client = sent(address, REQUEST).await;
        client.shutdown().await.unwrap();
        let response = read_to_end(client).await;
        assert!(response.starts_with(b"HTTP/1.1 200") && response.len() > 1 << 20);
    }

    #[tokio::test]
    async fn a_slow_request_head_ends_the_connection() {
        let limits = Limits { head: Duration::from_millis(200), ..limits() };
        let (address, _guard) = server(limits).await;
        for partial in [&b""[..], b"GET / HTTP/1.1\r\n"] {
            let response = read_to_end(sent(address, partial).await).await;
            assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 408"), "{response:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_beyond_the_limit_waits() {
        let (address, _guard) = server(Limits { connections: 1, ..limits() }).await;
        let mut first = sent(address, REQUEST).await;
        let mut part = [0; 16];
        first.read_exact(&mut part).await.unwrap();
        let mut second = sent(address, REQUEST).await;
        assert!(second.try_read(&mut part).is_err());
        drop(first);
        timeout(DEADLINE, second.read_exact(&mut part)).await.unwrap().unwrap();
        assert!(part.starts_with(b"HTTP/1.1 200"));
    }
}
