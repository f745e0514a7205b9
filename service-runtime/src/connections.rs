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
        debug!("some requests were not finished in time");
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
