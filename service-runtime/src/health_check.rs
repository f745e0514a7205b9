//! The other side of `/health`: a client for container health checks.

use anyhow::{Context, ensure};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks the service on this port for its health.
///
/// # Errors
/// If nothing answers within 3 seconds, or not with 200.
pub async fn ask(port: u16) -> anyhow::Result<()> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let status_line = tokio::time::timeout(Duration::from_secs(3), status_line(address))
        .await
        .with_context(|| format!("no answer from {address} within 3 s"))?
        .with_context(|| format!("no answer from {address}"))?;
    ensure!(status_line.contains(" 200 "), "unhealthy: {status_line}");
    Ok(())
}

async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /health HTTP/1.0\r\nhost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().next().unwrap_or_default().to_owned())
}
