//! A client of `GET /health` for container health checks, in images without curl.

use anyhow::{Context, ensure};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Checks the health of the service on a local port.
///
/// # Errors
/// If it does not respond with 200 within 3 seconds.
pub async fn check(port: u16) -> anyhow::Result<()> {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let status_line = tokio::time::timeout(Duration::from_secs(3), status_line(address))
        .await
        .with_context(|| format!("no response from {address} within 3 s"))?
        .with_context(|| format!("no response from {address}"))?;
    ensure!(status_line.contains(" 200 "), "unhealthy: {status_line}");
    Ok(())
}

async fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /health HTTP/1.0\r\nhost: localhost\r\n\r\n").await?;
    let first = BufReader::new(stream).lines().next_line().await?;
    Ok(first.unwrap_or_default())
}
