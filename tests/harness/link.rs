//! A network link that breaks as links do.

use super::free_port::free_port;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Forwards a local port to another one.
#[derive(Debug)]
pub struct Link {
    /// The port to connect to.
    pub port: u16,
    target: u16,
    traffic: Arc<Traffic>,
}

/// A direction through a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    /// Each piece is late by so much.
    Slow(Duration),
    /// Those that go that direction wait, or all. Connections stay up, and nobody is told
    /// anything.
    Held(Option<Direction>),
}

/// The connections of a link that is up.
#[derive(Debug, Default)]
struct Traffic {
    tasks: Mutex<JoinSet<()>>,
    /// Tells connections what to do; none while the link is down.
    mode: Mutex<Option<watch::Sender<Mode>>>,
    /// The same of connections that will never hear anything again.
    stranded: Mutex<Vec<watch::Sender<Mode>>>,
}

impl Link {
    /// A link to a local port, down for now.
    pub fn to(target: u16) -> Self {
        Self { port: free_port(), target, traffic: Arc::default() }
    }

    /// A link that is up.
    pub async fn opened(target: u16) -> Self {
        let link = Self::to(target);
        link.open().await;
        link
    }

    /// Lets everything through again, also what was held.
    pub async fn open(&self) {
        self.set(Mode::Open).await;
    }

    /// Lets everything through, late: each piece of each direction by `delay`.
    pub async fn slow(&self, delay: Duration) {
        self.set(Mode::Slow(delay)).await;
    }

    /// Lets nothing through, while connections stay up and new ones are taken.
    pub async fn freeze(&self) {
        self.set(Mode::Held(None)).await;
    }

    /// Lets nothing through one direction.
    pub async fn hold(&self, direction: Direction) {
        self.set(Mode::Held(Some(direction))).await;
    }

    /// Forgets the connections there are, without a word to either end, as a router
    /// does that was switched off and on; new ones get through.
    pub async fn strand(&self) {
        self.freeze().await;
        let forgotten = self.traffic.mode.lock().unwrap().replace(watch::Sender::new(Mode::Open));
        self.traffic.stranded.lock().unwrap().extend(forgotten);
    }

    /// Breaks all connections, and with them what was held, and refuses new ones.
    pub async fn cut(&self) {
        self.traffic.mode.lock().unwrap().take();
        self.traffic.stranded.lock().unwrap().clear();
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
    // Small packets are not to wait for company.
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    let there = pump(near_read, far_write, Direction::ToServer, mode.clone());
    let back = pump(far_read, near_write, Direction::ToClient, mode);
    let _ = tokio::join!(there, back);
}

/// Passes bytes on one direction until they end.
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
            tokio::time::sleep(delay).await;
        }
        match read {
            Ok(0) | Err(_) => return to.shutdown().await,
            Ok(count) => to.write_all(&bytes[..count]).await?,
        }
    }
}
