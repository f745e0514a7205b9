//! A network link with faults.

use super::delay::modelled_delay;
use super::free_port::free_port;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A TCP proxy from one local port to another.
#[derive(Debug)]
pub struct Link {
    /// The port to connect to.
    pub port: u16,
    target: u16,
    traffic: Arc<Traffic>,
}

/// The direction of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How a link forwards bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    /// Each segment is delayed.
    Slow(Duration),
    /// Bytes of one direction, or of both, are held back while connections stay open.
    Held(Option<Direction>),
}

/// The connections of a link.
#[derive(Debug, Default)]
struct Traffic {
    tasks: Mutex<JoinSet<()>>,
    /// The mode of current connections; none while the link is cut.
    mode: Mutex<Option<watch::Sender<Mode>>>,
    /// The same of connections that are half-open for good.
    half_open: Mutex<Vec<watch::Sender<Mode>>>,
}

impl Link {
    /// A link to a local port. It refuses connections until [`Self::open`].
    pub fn to(target: u16) -> Self {
        Self { port: free_port(), target, traffic: Arc::default() }
    }

    /// An open link.
    pub async fn opened(target: u16) -> Self {
        let link = Self::to(target);
        link.open().await;
        link
    }

    /// Forwards everything, including bytes that were held back.
    pub async fn open(&self) {
        self.set(Mode::Open).await;
    }

    /// Delays each segment of both directions.
    pub async fn slow(&self, delay: Duration) {
        self.set(Mode::Slow(delay)).await;
    }

    /// Holds back both directions. Connections stay open and new ones are accepted.
    pub async fn freeze(&self) {
        self.set(Mode::Held(None)).await;
    }

    /// Holds back one direction.
    pub async fn hold(&self, direction: Direction) {
        self.set(Mode::Held(Some(direction))).await;
    }

    /// Stops forwarding for current connections, without notice to either end, as a router
    /// does that restarts. New connections work.
    pub async fn make_half_open(&self) {
        self.freeze().await;
        let half_open = self.traffic.mode.lock().unwrap().replace(watch::Sender::new(Mode::Open));
        self.traffic.half_open.lock().unwrap().extend(half_open);
    }

    /// Closes all connections, discards bytes that were held back, and refuses new ones.
    pub async fn cut(&self) {
        self.traffic.mode.lock().unwrap().take();
        self.traffic.half_open.lock().unwrap().clear();
        let mut tasks = std::mem::take(&mut *self.traffic.tasks.lock().unwrap());
        tasks.shutdown().await;
    }

    async fn set(&self, mode: Mode) {
        if let Some(sender) = self.traffic.mode.lock().unwrap().as_ref() {
            sender.send_replace(mode);
            return;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        *self.traffic.mode.lock().unwrap() = Some(watch::Sender::new(mode));
        let accepting = accept(listener, self.target, self.traffic.clone());
        self.traffic.tasks.lock().unwrap().spawn(accepting);
    }
}

async fn accept(listener: TcpListener, target: u16, traffic: Arc<Traffic>) {
    while let Ok((near, _)) = listener.accept().await {
        let mode = traffic.mode.lock().unwrap().as_ref().map(watch::Sender::subscribe);
        if let Some(mode) = mode {
            traffic.tasks.lock().unwrap().spawn(forward(near, target, mode));
        }
    }
}

async fn forward(near: TcpStream, target: u16, mode: watch::Receiver<Mode>) {
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    // Do not delay small packets.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let there = pump(near_read, far_write, Direction::ToServer, mode.clone());
    let back = pump(far_read, near_write, Direction::ToClient, mode);
    let _ = tokio::join!(there, back);
}

/// Forwards bytes of one direction until the end of the stream.
async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    direction: Direction,
    mut mode: watch::Receiver<Mode>,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut bytes).await;
        let passes = |mode: &Mode| !matches!(mode, Mode::Held(held) if held.is_none_or(|held| held == direction));
        let Ok(now) = mode.wait_for(passes).await.map(|mode| *mode) else { return Ok(()) };
        if let Mode::Slow(delay) = now {
            modelled_delay(delay).await;
        }
        match read {
            Ok(0) | Err(_) => return to.shutdown().await,
            Ok(count) => to.write_all(&bytes[..count]).await?,
        }
    }
}
