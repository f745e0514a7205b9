//! The filter of lists by creation time.

use chrono::{DateTime, Utc};
use service_runtime::openapi::Time;
use service_runtime::parameters;
use service_runtime::parameters::Parameters;

parameters! {
    /// The creation time of the elements of a list.
    pub struct Created {
        /// Only elements created at this time or later.
        pub created_from: Option<Time> = "2026-11-01",
        /// Only elements created before this time, which is not before `createdFrom`.
        pub created_to: Option<Time> = "2026-12-01",
    }
    validate check_order(created_from, created_to);
}

fn check_order(
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    parameters: &mut Parameters,
) {
    if let (Some(from), Some(to)) = (from, to)
        && to < from
    {
        parameters.error("createdTo", "must not be before createdFrom");
    }
}
