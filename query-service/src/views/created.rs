//! Lists of what was created in some time.

use chrono::{DateTime, Utc};
use service_runtime::openapi::Time;
use service_runtime::parameters::{Parameters, time};

/// When the elements that are asked for were created.
#[derive(Clone, Copy, Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct Created {
    /// Only those created then or later.
    #[param(value_type = Time, inline, required = false, example = "2026-11-01")]
    pub created_from: Option<DateTime<Utc>>,
    /// Only those created before that, which is not before `createdFrom`.
    #[param(value_type = Time, inline, required = false, example = "2026-12-01")]
    pub created_to: Option<DateTime<Utc>>,
}

impl Created {
    /// Reads `createdFrom` and `createdTo`. What is wrong with them is told by
    /// [`Parameters::check`].
    pub fn read(parameters: &mut Parameters) -> Self {
        let created_from = parameters.optional("createdFrom", time);
        let created_to = parameters.optional("createdTo", time);
        if let (Some(from), Some(to)) = (created_from, created_to)
            && to < from
        {
            parameters.refuse("createdTo", "must not be before createdFrom");
        }
        Self { created_from, created_to }
    }
}
