//! Events about users and their accounts.

use crate::DecodeError;
use crate::limits::{MAX_ADDRESS_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS};
use crate::properties::{Properties, check_name};
use serde::{Deserialize, Serialize};

/// Payload of `UserCreated` and `UserUpdated`: the full state after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice::<Self>(json)?.check()
    }

    /// Reads the payload of an external event.
    pub(crate) fn from_properties(properties: &Properties<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            user_id: properties.id("userId")?,
            name: properties.required_name("name", MAX_NAME_CHARS)?,
            email: properties.required_name("email", MAX_EMAIL_CHARS)?,
        })
    }

    /// Checks the constraints that types do not express.
    fn check(self) -> Result<Self, DecodeError> {
        check_id("userId", self.user_id)?;
        check_text("name", &self.name, MAX_NAME_CHARS)?;
        check_text("email", &self.email, MAX_EMAIL_CHARS)?;
        Ok(self)
    }
}

impl AccountCreated {
    /// Reads the payload of one of our own events.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice::<Self>(json)?.check()
    }

    /// Reads the payload of an external event.
    pub(crate) fn from_properties(properties: &Properties<'_>) -> Result<Self, DecodeError> {
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

    /// Checks the constraints that types do not express.
    fn check(self) -> Result<Self, DecodeError> {
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
