//! Connections of HTTP clients, with limits: how many, how long a head may take, and
//! how long an end.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Most connections of a server. More wait until one is closed.
const MAX_CONNECTIONS: usize = 4096;

/// How long a client may take to send a request's head, and so also how long a
/// connection may be idle. The gateway closes its own sooner.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// How long requests under way may go on after the shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait when the system has no room for another connection.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(100);

/// Serves `routes` until shutdown. Requests under way then are finished, within a
/// deadline; connections that wait for a request are closed.
pub async fn serve(listener: TcpListener, routes: Router, shutdown: CancellationToken) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let under_way = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    while let Some(accepted) = shutdown.run_until_cancelled(accept(&listener, &room)).await {
        let Some((stream, permit)) = accepted else { continue };
        let service = TowerToHyperService::new(routes.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let connection = under_way.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("a connection ended: {error}");
            }
            drop(permit);
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
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are written whole: nothing is gained by waiting for more.
            stream.set_nodelay(true).ok()?;
            Some((stream, permit))
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
