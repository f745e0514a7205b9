//! Limits of an HTTP request.

use std::time::Duration;

/// Maximum size of a request body.
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// Maximum length of the path and query of a request. The gateway has the same limit.
pub const MAX_ADDRESS_BYTES: usize = 8 << 10;

/// Maximum time for a request body to arrive. A slower body is refused with 408.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);
