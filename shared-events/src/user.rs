//! What happens to users and their accounts.

use crate::DecodeError;
use crate::limits::{MAX_ADDRESS_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS, is_name};
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
        if self.user_id < 1 {
            Err(DecodeError::Member("userId must be at least 1"))
        } else if !is_name(&self.name, MAX_NAME_CHARS) {
            Err(DecodeError::Member("name is blank, too long or has control characters"))
        } else if !is_name(&self.email, MAX_EMAIL_CHARS) {
            Err(DecodeError::Member("email is blank, too long or has control characters"))
        } else {
            Ok(self)
        }
    }
}

impl AccountCreated {
    /// Checks what types do not say.
    pub(crate) fn check(self) -> Result<Self, DecodeError> {
        let parts = [&self.address1, &self.city, &self.state, &self.zip];
        if self.account_id < 1 || self.user_id < 1 {
            Err(DecodeError::Member("accountId and userId must be at least 1"))
        } else if !parts.into_iter().all(|part| is_name(part, MAX_ADDRESS_CHARS)) {
            Err(DecodeError::Member("a part of the address is out of range"))
        } else {
            Ok(self)
        }
    }
}
