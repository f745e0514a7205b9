//! Free TCP ports, for servers whose address must be known before they start.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port and their number: below the range of outgoing connections.
const RANGE: (u16, u16) = (20_000, 10_000);

/// A free port. A process never gets the same port twice, even before something listens
/// on it.
pub fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> =
        LazyLock::new(|| AtomicU16::new(uuid::Uuid::new_v4().as_fields().1 % RANGE.1));
    std::iter::repeat_with(|| RANGE.0 + NEXT.fetch_add(1, Ordering::Relaxed) % RANGE.1)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap()
}
