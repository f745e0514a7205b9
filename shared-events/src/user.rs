//! What happens to users and their accounts.

use crate::DecodeError;
use crate::limits::{MAX_ADDRESS_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS};
use crate::properties::check_name;
use serde::{Deserialize, Serialize};

/// Payload of `UserCreated` and `UserUpdated`: the full state after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserState {
    /// The user, who is the customer of that id.
    pub user_id: i64,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

/// Payload of `AccountCreated`. It raises the version of the user, of whose
/// accounts the newest has the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCreated {
    /// The account.
    pub account_id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// Street and number.
    pub address1: String,
    /// City.
    pub city: String,
    /// State or region.
    pub state: String,
    /// Postal code.
    pub zip: String,
}

impl UserState {
    /// Checks what types do not say.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
        check_id("userId", self.user_id)?;
        check_text("name", &self.name, MAX_NAME_CHARS)?;
        check_text("email", &self.email, MAX_EMAIL_CHARS)?;
        Ok(self)
    }
}

impl AccountCreated {
    /// Checks what types do not say.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
        check_id("accountId", self.account_id)?;
        check_id("userId", self.user_id)?;
        for (name, part) in [
            ("address1", &self.address1),
            ("city", &self.city),
            ("state", &self.state),
            ("zip", &self.zip),
        ] {
            check_text(name, part, MAX_ADDRESS_CHARS)?;
        }
        Ok(self)
    }
}

fn check_id(name: &str, id: i64) -> Result<(), DecodeError> {
    if id < 1 { Err(DecodeError::property(name, "must be at least 1")) } else { Ok(()) }
}

fn check_text(name: &str, text: &str, max: usize) -> Result<(), DecodeError> {
    check_name(text, max).map_err(|problem| DecodeError::property(name, problem))
}
