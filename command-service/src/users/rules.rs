//! Users and accounts, and the commands that create and change them.

use crate::formats::{AddressPart, Email, Name};
use chrono::{DateTime, Utc};
use serde::Serialize;
use service_runtime::openapi::Id;
use service_runtime::{body, change};
use shared_events::{AccountCreated, UserState};
use utoipa::ToSchema;

/// The text of the response to an invalid user.
pub const INVALID_USER: &str = "Invalid user data";

/// The text of the response to an invalid account.
pub const INVALID_ACCOUNT: &str = "Invalid account data";

/// A user. `userId` repeats `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The id of the user.
    #[schema(value_type = Id)]
    pub user_id: i64,
    /// The id of the user, which is also a customer id.
    #[schema(value_type = Id)]
    pub id: i64,
    /// The name.
    #[schema(examples("Ada Lovelace"))]
    pub name: String,
    /// The e-mail address, as written.
    #[schema(examples("ada@example.com"))]
    pub email: String,
    /// Incremented by every change and every new account.
    #[schema(minimum = 1, examples(1))]
    pub version: i64,
    /// When the user was created.
    #[schema(examples("2026-11-21T11:44:33.387693Z"))]
    pub created_at: DateTime<Utc>,
}

body! {
    /// A user to create.
    #[schema(examples(json!({"name": "Ada Lovelace", "email": "ada@example.com"})))]
    pub struct NewUser {
        /// The name.
        pub name: Name,
        /// The e-mail address. It is unique, regardless of case.
        pub email: Email,
    }
}

change! {
    /// Changes to a user.
    #[schema(examples(json!({"name": "Ada King"})))]
    pub struct UserChange {
        /// The new name.
        pub name: Name,
        /// The new e-mail address.
        pub email: Email,
    }
}

/// An account. `accountId` repeats `id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The id of the account.
    #[schema(value_type = Id)]
    pub account_id: i64,
    /// The id of the account.
    #[schema(value_type = Id)]
    pub id: i64,
    #[serde(flatten)]
    pub details: NewAccount,
    /// Always `open`.
    #[schema(examples("open"))]
    pub status: &'static str,
    /// When the account was opened.
    #[schema(examples("2026-11-21T11:44:33.410562Z"))]
    pub created_at: DateTime<Utc>,
}

body! {
    /// An account to open. Its address becomes the address of the user.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    #[schema(examples(json!({"userId": 1, "address1": "1 Main Street", "city": "Springfield",
                             "state": "IL", "zip": "62701"})))]
    pub struct NewAccount {
        /// The user.
        pub user_id: Id,
        /// Street and number.
        pub address1: AddressPart,
        /// City.
        pub city: AddressPart,
        /// State or region.
        pub state: AddressPart,
        /// Postal code.
        pub zip: AddressPart,
    }
}

impl User {
    /// The user after a change.
    pub fn changed(&self, change: UserChange) -> Self {
        Self {
            name: change.name.unwrap_or_else(|| self.name.clone()),
            email: change.email.unwrap_or_else(|| self.email.clone()),
            version: self.version + 1,
            ..*self
        }
    }

    /// The user as in events.
    pub fn state(&self) -> UserState {
        UserState { user_id: self.id, name: self.name.clone(), email: self.email.clone() }
    }
}

impl Account {
    /// The account as in its event.
    pub fn event(&self) -> AccountCreated {
        let NewAccount { user_id, address1, city, state, zip } = self.details.clone();
        AccountCreated { account_id: self.id, user_id, address1, city, state, zip }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use service_runtime::json_body::{Body, parse};
    use shared_events::{Event, Payload, now};
    use trace_context::TraceParent;

    fn read<B: Body>(json: &str) -> Option<B> {
        parse(json.as_bytes(), INVALID_USER).ok()
    }

    #[test]
    fn invalid_users_are_refused() {
        for bad in [
            r#"{}"#,
            r#"{"name":"Ada"}"#,
            r#"{"email":"ada@example.com"}"#,
            r#"{"name":" ","email":"ada@example.com"}"#,
            r#"{"name":"A\u0000","email":"ada@example.com"}"#,
            r#"{"name":1,"email":"ada@example.com"}"#,
            r#"{"name":"Ada","email":""}"#,
            r#"{"name":"Ada","email":"ada"}"#,
            r#"{"name":"Ada","email":"ada@"}"#,
            r#"{"name":"Ada","email":"@example.com"}"#,
            r#"{"name":"Ada","email":"ada@example.com "}"#,
            r#"{"name":"Ada","email":"a da@example.com"}"#,
            r#"{"name":"Ada","email":"a\u0000da@example.com"}"#,
            r#"{"name":"Ada","email":"Ada <ada@example.com>"}"#,
            r#"{"name":"Ada","email":null}"#,
            r#"{"name":"Ada","email":"\"a\tda\"@example.com"}"#,
        ] {
            assert!(read::<NewUser>(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_change_has_at_least_one_field_and_no_null() {
        for bad in ["{}", r#"{"colour":"red"}"#, r#"{"name":null}"#, r#"{"email":"x"}"#] {
            assert!(read::<UserChange>(bad).is_none(), "{bad}");
        }
        assert!(read::<UserChange>(r#"{"name":"Ada"}"#).is_some());
    }

    #[test]
    fn a_change_keeps_other_fields_and_increments_the_version() {
        let before = User {
            user_id: 1,
            id: 1,
            name: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
        };
        let after = before.changed(UserChange { name: Some("Eva".to_owned()), email: None });
        assert_eq!(after, User { name: "Eva".to_owned(), version: 2, ..before });
    }

    #[test]
    fn an_account_has_every_part_of_an_address() {
        let good = r#"{"userId":1,"address1":"1 Main St","city":"Ely","state":"MN","zip":"55731"}"#;
        assert!(read::<NewAccount>(good).is_some());
        for (from, to) in [
            ("1,", "0,"),
            ("1,", "\"1\","),
            ("\"Ely\"", "\"\""),
            ("\"Ely\"", "null"),
            ("\"55731\"", "55731"),
            ("\"state\"", "\"region\""),
        ] {
            assert!(read::<NewAccount>(&good.replacen(from, to, 1)).is_none(), "{to}");
        }
    }

    proptest! {
        /// Otherwise the event of a created user would become a dead letter.
        #[test]
        fn every_accepted_user_can_be_decoded_from_its_event(
            name in r#"[\PC\t\x00\x7f ]{0,9}"#,
            email in r#"["a-zà-ÿ日😀 .+\t\x00]{1,9}@[a-zà-ÿ.-]{1,9}"#,
        ) {
            let body = serde_json::json!({ "name": name, "email": email }).to_string();
            if let Some(NewUser { name, email }) = read(&body) {
                let user = UserState { user_id: 1, name, email };
                let trace = TraceParent::generate();
                let event = Event::new(1, now(), trace, Payload::UserCreated(user));
                let json = event.to_json().unwrap();
                let read = Event::decode(json.as_bytes(), None);
                prop_assert_eq!(read.unwrap(), event);
            }
        }
    }
}
