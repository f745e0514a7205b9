//! Amounts of money in rows.

use serde::Serialize;
use shared_events::Money;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueRef};
use sqlx::types::Decimal;
use sqlx::{Decode, Postgres, Type};
use std::borrow::Cow;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

/// An amount that is read from the database and shown as [`Money`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Amount(Money);

impl Type<Postgres> for Amount {
    fn type_info() -> PgTypeInfo {
        <Decimal as Type<Postgres>>::type_info()
    }
}

impl Decode<'_, Postgres> for Amount {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(Money::from_decimal(Decimal::decode(value)?)?))
    }
}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        Money::schema()
    }
}

impl ToSchema for Amount {
    fn name() -> Cow<'static, str> {
        Money::name()
    }
}
