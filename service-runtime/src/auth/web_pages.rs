//! What web pages send to a port of the operator's own machine.
//!
//! A page that the operator looks at can have the browser send requests to
//! `localhost`, whatever listens there. It cannot read the answers, but a request to
//! publish history again is carried out all the same. Browsers say that it comes from a
//! page: by `Origin`, or `Sec-Fetch-Site`.
//!
//! A page whose own name is made to point to this machine (DNS rebinding) is of the
//! same origin for the browser. It is known by that name in `Host`: one of the public
//! DNS, where an operator writes an address, `localhost`, or a name of the network.

use axum::http::{HeaderMap, Uri, header};
use std::net::IpAddr;

/// Last parts of names that no public DNS has: RFC 6761, RFC 6762, and ICANN's
/// reservation of `internal`.
const PRIVATE: [&str; 3] = ["localhost", "local", "internal"];

/// Whether a request was sent by a web page, or could have been.
pub fn may_be_from_one(uri: &Uri, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let is_direct = matches!(site, None | Some(b"same-origin" | b"none"));
    let host = uri.host().or_else(|| headers.get(header::HOST)?.to_str().ok());
    headers.contains_key(header::ORIGIN) || !is_direct || !host.is_some_and(is_private)
}

fn is_private(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    // A name of one part is none of the public DNS.
    !name.is_empty()
        && (name.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || PRIVATE.contains(&last.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(given: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        may_be_from_one(&Uri::from_static("/admin/replay"), &headers)
    }

    #[test]
    fn programs_get_through_by_address_and_private_name() {
        for host in [
            "localhost:9080",
            "127.0.0.1:9080",
            "[::1]:9080",
            "command-service",
            "command-service.shop.svc.cluster.local:9080",
            "LOCALHOST",
        ] {
            assert!(!is_refused(&[("host", host)]), "{host}");
        }
        assert!(!is_refused(&[("host", "localhost"), ("sec-fetch-site", "none")]));
        assert!(!is_refused(&[("host", "localhost"), ("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn web_pages_do_not() {
        for page in [
            [("host", "localhost:9080"), ("origin", "https://evil.example")],
            [("host", "localhost:9080"), ("origin", "null")],
            [("host", "localhost:9080"), ("sec-fetch-site", "cross-site")],
            [("host", "localhost:9080"), ("sec-fetch-site", "same-site")],
            [("host", "evil.example:9080"), ("sec-fetch-site", "same-origin")],
            [("host", "127.0.0.1.evil.example"), ("accept", "*/*")],
            [("host", ""), ("accept", "*/*")],
        ] {
            assert!(is_refused(&page), "{page:?}");
        }
        assert!(is_refused(&[]));
    }
}
