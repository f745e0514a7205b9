//! What a user and an account may be, and what a change makes of a user.

use crate::names::{self, Name};
use chrono::{DateTime, Utc};
use email_address::{EmailAddress, Options};
use serde::Serialize;
use service_runtime::json_body::{Members, Reader, integer, text};
use service_runtime::openapi::Id;
use service_runtime::problem::{FieldError, Problem};
use shared_events::limits::{MAX_ADDRESS_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS, is_name};
use shared_events::{AccountCreated, UserState};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// The text of every refusal of a user's members.
pub const INVALID_USER: &str = "Invalid user data";

/// The text of every refusal of an account's members.
pub const INVALID_ACCOUNT: &str = "Invalid account data";

/// A user as they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Their id, which is a customer id.
    #[schema(value_type = Id)]
    pub id: i64,
    /// Their name.
    #[schema(examples("Ada Lovelace"))]
    pub name: String,
    /// Their e-mail address, as written.
    #[schema(examples("ada@example.com"))]
    pub email: String,
    /// Raised by every change, and by every account.
    #[schema(minimum = 1, examples(1))]
    pub version: i64,
    /// When they signed up.
    #[schema(examples("2026-11-21T11:44:33.387693Z"))]
    pub created_at: DateTime<Utc>,
}

/// The command to create a user.
#[derive(Clone, Debug, PartialEq, Eq, ToSchema)]
#[schema(examples(json!({"name": "Ada Lovelace", "email": "ada@example.com"})))]
pub struct NewUser {
    /// Their name.
    #[schema(value_type = Name)]
    pub name: String,
    /// Their e-mail address. It has one user, without regard to case.
    #[schema(value_type = Email)]
    pub email: String,
}

/// The command to change some members of a user; one that is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(examples(json!({"name": "Ada King"})))]
pub struct UserChange {
    /// Their name.
    #[schema(value_type = Name, required = false)]
    pub name: Option<String>,
    /// Their e-mail address.
    #[schema(value_type = Email, required = false)]
    pub email: Option<String>,
}

/// An account as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Its id.
    #[schema(value_type = Id)]
    pub id: i64,
    #[serde(flatten)]
    pub details: NewAccount,
    /// Always `open`.
    #[schema(examples("open"))]
    pub status: &'static str,
    /// When it was opened.
    #[schema(examples("2026-11-21T11:44:33.410562Z"))]
    pub created_at: DateTime<Utc>,
}

/// The command to open an account, whose address is the user's from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({"userId": 1, "address1": "1 Main Street", "city": "Springfield",
                         "state": "IL", "zip": "62701"})))]
pub struct NewAccount {
    /// Whose it is.
    #[schema(value_type = Id)]
    pub user_id: i64,
    /// Street and number.
    #[schema(value_type = Name)]
    pub address1: String,
    /// City.
    #[schema(value_type = Name)]
    pub city: String,
    /// State or region.
    #[schema(value_type = Name)]
    pub state: String,
    /// Postal code.
    #[schema(value_type = Name)]
    pub zip: String,
}

/// An e-mail address, as documents have it.
#[derive(Debug)]
pub struct Email;

impl PartialSchema for Email {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::IdnEmail)))
            .description(Some(
                "An address alone: neither `Ada <ada@example.com>` nor `ada@[127.0.0.1]`.",
            ))
            .max_length(Some(MAX_EMAIL_CHARS))
            .examples(["ada@example.com"])
            .into()
    }
}

impl ToSchema for Email {}

impl NewUser {
    /// Reads the command.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn read(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut reader = Reader::new(members, String::new(), &mut errors);
        let name = reader.required("name", name);
        let email = reader.required("email", email);
        match (name, email) {
            (Some(name), Some(email)) => Ok(Self { name, email }),
            _ => Err(invalid(INVALID_USER, errors)),
        }
    }
}

impl UserChange {
    /// Reads the command, which must name at least one member.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn read(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut reader = Reader::new(members, String::new(), &mut errors);
        let change = Self {
            name: reader.has("name").then(|| reader.required("name", name)).flatten(),
            email: reader.has("email").then(|| reader.required("email", email)).flatten(),
        };
        if !errors.is_empty() {
            Err(invalid(INVALID_USER, errors))
        } else if change == Self::default() {
            Err(Problem::bad_request(INVALID_USER).detail("Name at least one of name and email."))
        } else {
            Ok(change)
        }
    }
}

impl NewAccount {
    /// Reads the command.
    ///
    /// # Errors
    /// 400, with everything that is wrong.
    pub fn read(members: &Members) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let mut reader = Reader::new(members, String::new(), &mut errors);
        let user_id = reader.required("userId", |value| integer(value, 1, i64::MAX));
        let mut part =
            |member| reader.required(member, |value| names::name(value, MAX_ADDRESS_CHARS));
        let (address1, city, state, zip) =
            (part("address1"), part("city"), part("state"), part("zip"));
        match (user_id, address1, city, state, zip) {
            (Some(user_id), Some(address1), Some(city), Some(state), Some(zip)) => {
                Ok(Self { user_id, address1, city, state, zip })
            }
            _ => Err(invalid(INVALID_ACCOUNT, errors)),
        }
    }
}

impl User {
    /// The user after a change.
    pub fn changed(&self, change: UserChange) -> Self {
        Self {
            id: self.id,
            name: change.name.unwrap_or_else(|| self.name.clone()),
            email: change.email.unwrap_or_else(|| self.email.clone()),
            version: self.version + 1,
            created_at: self.created_at,
        }
    }

    /// The user as events tell of them.
    pub fn state(&self) -> UserState {
        UserState { user_id: self.id, name: self.name.clone(), email: self.email.clone() }
    }
}

impl Account {
    /// The account as its event tells of it.
    pub fn event(&self) -> AccountCreated {
        let NewAccount { user_id, address1, city, state, zip } = self.details.clone();
        AccountCreated { account_id: self.id, user_id, address1, city, state, zip }
    }
}

fn invalid(error: &'static str, errors: Vec<FieldError>) -> Problem {
    Problem::bad_request(error).detail("Nothing was changed; see errors.").fields(errors)
}

fn name(value: &str) -> Result<String, Cow<'static, str>> {
    names::name(value, MAX_NAME_CHARS)
}

fn email(value: &str) -> Result<String, Cow<'static, str>> {
    let email = text(value)?;
    // An address alone: neither `Ada <ada@example.com>` nor `ada@[127.0.0.1]`.
    let options = Options::default().without_display_text().without_domain_literal();
    let is_address = EmailAddress::parse_with_options(&email, options).is_ok();
    // RFC 5321 lets a quoted local part have tabs; events must not.
    if is_address && is_name(&email, MAX_EMAIL_CHARS) {
        Ok(email)
    } else {
        Err(format!(
            "must be an e-mail address like ada@example.com, of at most {MAX_EMAIL_CHARS} \
             characters"
        )
        .into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared_events::{Envelope, Event, Payload, now};
    use trace_context::TraceParent;

    fn members(json: &str) -> Members {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_bad_member_of_a_user_is_refused() {
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
            assert!(NewUser::read(&members(bad)).is_err(), "{bad}");
        }
        let long = format!("{}@example.com", "a".repeat(300));
        assert!(email(&format!("\"{long}\"")).is_err());
    }

    #[test]
    fn e_mail_addresses_of_many_forms_are_taken_as_they_are() {
        for good in ["ada@example.com", "Ada.K+shop@mail.example.co.uk", "adä@exämple.com"] {
            assert_eq!(email(&format!("\"{good}\"")), Ok(good.to_owned()));
        }
    }

    #[test]
    fn a_change_names_at_least_one_member_and_nulls_none() {
        for bad in ["{}", r#"{"colour":"red"}"#, r#"{"name":null}"#, r#"{"email":"x"}"#] {
            assert!(UserChange::read(&members(bad)).is_err(), "{bad}");
        }
        assert!(UserChange::read(&members(r#"{"name":"Ada"}"#)).is_ok());
    }

    #[test]
    fn a_change_leaves_the_rest_and_raises_the_version() {
        let before = User {
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
    fn an_account_has_every_part_of_its_address() {
        let good = r#"{"userId":1,"address1":"1 Main St","city":"Ely","state":"MN","zip":"55731"}"#;
        assert!(NewAccount::read(&members(good)).is_ok());
        for (from, to) in [
            ("1,", "0,"),
            ("1,", "\"1\","),
            ("\"Ely\"", "\"\""),
            ("\"Ely\"", "null"),
            ("\"55731\"", "55731"),
            ("\"state\"", "\"region\""),
        ] {
            assert!(NewAccount::read(&members(&good.replacen(from, to, 1))).is_err(), "{to}");
        }
    }

    proptest! {
        /// Otherwise a user who was told 201 would be parked by the consumer.
        #[test]
        fn whoever_is_accepted_can_be_read_from_the_event(
            name in r#"[\PC\t\x00\x7f ]{0,9}"#,
            email in r#"["a-zà-ÿ日😀 .+\t\x00]{1,9}@[a-zà-ÿ.-]{1,9}"#,
        ) {
            let body = serde_json::json!({ "name": name, "email": email }).to_string();
            if let Ok(NewUser { name, email }) = NewUser::read(&members(&body)) {
                let user = User { id: 1, name, email, version: 1, created_at: now() };
                let event = Event {
                    envelope: Envelope::new(1, now(), TraceParent::generate()),
                    payload: Payload::UserCreated(user.state()),
                };
                let json = event.to_json().unwrap();
                let read = Event::decode(json.as_bytes(), None);
                prop_assert_eq!(read.unwrap(), event);
            }
        }
    }
}
