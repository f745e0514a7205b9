//! Ports for whom the system does not choose one.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first port, and how many follow: below those that outgoing connections get.
const RANGE: (u16, u16) = (20_000, 10_000);

/// A port that is free. None is given twice by one process, though it may not be
/// listened on yet.
pub fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> =
        LazyLock::new(|| AtomicU16::new(uuid::Uuid::new_v4().as_fields().1 % RANGE.1));
    std::iter::repeat_with(|| RANGE.0 + NEXT.fetch_add(1, Ordering::Relaxed) % RANGE.1)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .unwrap()
}
