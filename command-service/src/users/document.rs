//! What the document says of users and their accounts, beside handlers and types.

use super::rules::{INVALID_ACCOUNT, INVALID_USER, UserChange};
use axum::http::StatusCode;
use service_runtime::openapi::AtLeastOne;
use service_runtime::problem::Problem;
use service_runtime::refusals;

/// Groups of operations.
pub const TAG: &str = "Users";

/// A change that names something.
pub type SomeUserChange = AtLeastOne<UserChange>;

refusals! {
    /// Why no user is created.
    pub NotCreated: invalid(INVALID_USER), email_taken()
}

refusals! {
    /// Why a user is not changed.
    pub NotChanged: invalid(INVALID_USER), not_found(), email_taken()
}

refusals! {
    /// Why no account is opened.
    pub NotOpened: invalid(INVALID_ACCOUNT), not_found()
}

fn invalid(error: &'static str) -> Problem {
    Problem::bad_request(error)
        .detail("The body is no JSON object, or a member or the id is wrong; see `errors`.")
}

fn not_found() -> Problem {
    Problem::not_found("User not found").detail("There is no such user.")
}

fn email_taken() -> Problem {
    Problem::new(StatusCode::CONFLICT, "Email already taken")
        .detail("Another user has this e-mail address.")
}

#[cfg(test)]
mod tests {
    use super::super::rules::{NewAccount, NewUser};
    use super::*;
    use crate::openapi::checks::body_is_as_documented;

    #[test]
    fn bodies_are_as_documented() {
        body_is_as_documented::<NewUser, _>(NewUser::read);
        body_is_as_documented::<SomeUserChange, _>(UserChange::read);
        body_is_as_documented::<NewAccount, _>(NewAccount::read);
    }
}
