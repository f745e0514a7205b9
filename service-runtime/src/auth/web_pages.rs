//! Requests that web pages send to an operations port.
//!
//! A web page can make the browser of an operator send requests to `localhost`. It cannot
//! read the responses, but the requests take effect. Browsers mark such requests with
//! `Origin` or `Sec-Fetch-Site`.
//!
//! With DNS rebinding, the name of the page resolves to this machine and the browser treats
//! the request as same-origin. The `Host` header then has a public name, whereas operators
//! use an address, `localhost` or a private name.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use std::net::IpAddr;

/// Private top-level domains: RFC 6761, RFC 6762, and ICANN's reservation of `internal`.
const PRIVATE: [&str; 3] = ["localhost", "local", "internal"];

/// Whether a request may come from a web page.
pub fn may_come_from_web_page(uri: &Uri, headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let is_direct = matches!(site, None | Some(b"same-origin" | b"none"));
    let host = uri.host().or_else(|| headers.get(header::HOST)?.to_str().ok());
    headers.contains_key(header::ORIGIN) || !is_direct || !host.is_some_and(is_private)
}

fn is_private(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    // A name without a dot is not in the public DNS.
    let is_local = !name.contains('.') || PRIVATE.contains(&last.as_str());
    !name.is_empty() && (is_local || name.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(given: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        may_come_from_web_page(&Uri::from_static("/admin/replay"), &headers)
    }

    #[test]
    fn requests_to_addresses_and_private_names_are_accepted() {
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
    fn requests_of_web_pages_are_refused() {
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
