//! Requests to servers on the loopback address: health checks, and the broker's management
//! interface.

use anyhow::{Result, ensure};
use minreq::{Method, Request};

const TIMEOUT_SECONDS: u64 = 30;

/// A request to a port of this machine. Path and query are percent-encoded.
pub fn request(method: Method, port: u16, path: &str) -> Request {
    Request::new(method, format!("http://127.0.0.1:{port}{path}")).with_timeout(TIMEOUT_SECONDS)
}

/// Sends the request and returns the body of the response. Fails unless it is successful.
pub fn send(request: Request) -> Result<String> {
    let response = request.send()?;
    let (status, body) = (response.status_code, response.as_str()?);
    ensure!((200..300).contains(&status), "status {status}: {}", body.trim());
    Ok(body.to_owned())
}
