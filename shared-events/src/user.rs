//! Events about users and their accounts.

use crate::DecodeError;
use crate::limits::{MAX_ADDRESS_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS};
use crate::properties::Properties;
use serde::Serialize;

/// Payload of `UserCreated` and `UserUpdated`: the full state after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserState {
    /// User id, which is also a customer id.
    pub user_id: i64,
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// Payload of `AccountCreated`. It raises the version of the user. The newest account has the
/// address of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountCreated {
    /// Account id.
    pub account_id: i64,
    /// User id.
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
    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user_id: properties.id("userId")?,
            name: properties.required_name("name", MAX_NAME_CHARS)?,
            email: properties.required_name("email", MAX_EMAIL_CHARS)?,
        })
    }
}

impl AccountCreated {
    pub(crate) fn read(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        let part = |name| properties.required_name(name, MAX_ADDRESS_CHARS);
        Ok(Self {
            account_id: properties.id("accountId")?,
            user_id: properties.id("userId")?,
            address1: part("address1")?,
            city: part("city")?,
            state: part("state")?,
            zip: part("zip")?,
        })
    }
}
