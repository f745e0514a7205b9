//! A network link that can be cut.

use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Forwards a local port to another one, while it is up. To be down is to
/// refuse connections and to break those there are.
#[derive(Debug)]
pub struct Link {
    /// The port to connect to.
    pub port: u16,
    target: u16,
    traffic: Arc<Mutex<Option<JoinSet<()>>>>,
}

impl Link {
    /// A link to a local port, down for now.
    pub fn to(target: u16) -> Self {
        Self { port: free_port(), target, traffic: Arc::default() }
    }

    /// Lets traffic through.
    pub async fn up(&self) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.unwrap();
        let (target, traffic) = (self.target, self.traffic.clone());
        let accepting = async move {
            while let Ok((near, _)) = listener.accept().await {
                if let Some(tasks) = traffic.lock().unwrap().as_mut() {
                    tasks.spawn(forward(near, target));
                }
            }
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(accepting);
        *self.traffic.lock().unwrap() = Some(tasks);
    }

    /// Cuts the link.
    pub async fn cut(&self) {
        let tasks = self.traffic.lock().unwrap().take();
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
    }
}

async fn forward(mut near: TcpStream, target: u16) {
    if let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await {
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    }
}

/// A port that is free, and below those that outgoing connections get.
fn free_port() -> u16 {
    let random = uuid::Uuid::new_v4().as_u128();
    (0..)
        .map(|step| 20_000 + u16::try_from((random + step) % 10_000).unwrap())
        .find(|port| StdListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap()
}
