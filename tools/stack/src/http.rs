//! Requests to servers on the loopback address: health checks, and the broker's management
//! interface.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use minreq::{Method, Request, Response};

use crate::interrupt;

const TIMEOUT_SECONDS: u64 = 30;

/// A request to a port of this machine. Path and query are percent-encoded.
pub fn request(method: Method, port: u16, path: &str) -> Request {
    Request::new(method, format!("http://127.0.0.1:{port}{path}")).with_timeout(TIMEOUT_SECONDS)
}

/// Sends a GET request and reads the whole response.
pub fn get(port: u16, path: &str) -> Result<Response> {
    request(Method::Get, port, path)
        .send()
        .with_context(|| format!("GET http://127.0.0.1:{port}{path}"))
}

pub fn is_success(response: &Response) -> bool {
    (200..300).contains(&response.status_code)
}

/// Repeats the request until it succeeds, and returns whether it did so in time. `died` returns
/// whether the server has ended.
pub fn succeeds_within(
    time: Duration,
    request: &Request,
    mut died: impl FnMut() -> bool,
) -> Result<bool> {
    let deadline = Instant::now() + time;
    loop {
        interrupt::check()?;
        if request.clone().send().is_ok_and(|response| is_success(&response)) {
            return Ok(true);
        }
        if died() || Instant::now() >= deadline {
            return Ok(false);
        }
        interrupt::sleep(Duration::from_millis(100))?;
    }
}
