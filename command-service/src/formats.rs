//! Formats of the values in commands.

use crate::orders::PAYMENT_TIMEOUT;
use email_address::{EmailAddress, Options};
use service_runtime::format::{
    Message, boolean, boolean_schema, integer, integer_schema, string_schema,
};
use service_runtime::format_of;
use shared_events::limits::{
    MAX_ADDRESS_CHARS, MAX_CATEGORY_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS, MAX_PRICE,
    MAX_REASON_CHARS, is_name,
};
use shared_events::{Money, OrderStatus};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

format_of! {
    /// The name of a product or user.
    pub Name: String, string, parse = |text| name(text, MAX_NAME_CHARS),
        schema = name_schema(MAX_NAME_CHARS, "Ada Lovelace");

    /// The name of a category.
    pub CategoryName: String, string, parse = |text| name(text, MAX_CATEGORY_CHARS),
        schema = name_schema(MAX_CATEGORY_CHARS, "Drinks");

    /// A part of a postal address.
    pub AddressPart: String, string, parse = |text| name(text, MAX_ADDRESS_CHARS),
        schema = name_schema(MAX_ADDRESS_CHARS, "Springfield");

    /// An e-mail address.
    pub Email: String, string, parse = email, schema = email_schema();

    /// A price.
    pub Price: Money, literal, parse = price, schema = price_schema();

    /// Units in stock.
    pub Stock: i32, literal, parse = |text| integer(text, 0, i32::MAX.into()),
        schema = integer_schema(0, i32::MAX.into(), 100);

    /// Units ordered.
    pub Quantity: i32, literal, parse = |text| integer(text, 1, i32::MAX.into()),
        schema = integer_schema(1, i32::MAX.into(), 2);

    /// An amount to refund.
    pub Amount: Money, literal, parse = price, schema = price_schema();

    /// An amount above zero to refund.
    pub PositiveAmount: Money, literal, parse = positive_amount, schema = positive_amount_schema();

    /// Whether refunded units return to stock.
    pub Restock: bool, literal, parse = boolean, schema = boolean_schema(true).default(Some(true.into()));

    /// The reason of a change.
    pub Reason: String, string, parse = reason,
        schema = name_schema(MAX_REASON_CHARS, "scratched");

    /// The status that an order changes to.
    pub NewStatus: OrderStatus, string, parse = OrderStatus::read,
        schema = <OrderStatus as utoipa::PartialSchema>::schema();
}

/// Any short text, except for that of the shop itself.
fn reason(text: &str) -> Result<String, Message> {
    if text == PAYMENT_TIMEOUT {
        return Err(format!("must not be {PAYMENT_TIMEOUT}, which only the shop sets").into());
    }
    name(text, MAX_REASON_CHARS)
}

/// Not blank, no control characters.
const PATTERN: &str = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$";

fn name_schema(max_chars: usize, example: &str) -> ObjectBuilder {
    string_schema(example)
        .description(Some("Not blank, without control characters."))
        .min_length(Some(1))
        .max_length(Some(max_chars))
        .pattern(Some(PATTERN))
}

fn name(text: &str, max_chars: usize) -> Result<String, Message> {
    if is_name(text, max_chars) {
        Ok(text.to_owned())
    } else {
        Err(format!("must be 1 to {max_chars} characters, not blank, without control characters")
            .into())
    }
}

fn email_schema() -> ObjectBuilder {
    string_schema("ada@example.com")
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::IdnEmail)))
        .description(Some(
            "An address without a display name or a domain literal: neither \
             `Ada <ada@example.com>` nor `ada@[127.0.0.1]`.",
        ))
        .max_length(Some(MAX_EMAIL_CHARS))
}

fn email(text: &str) -> Result<String, Message> {
    let options = Options::default().without_display_text().without_domain_literal();
    let is_address = EmailAddress::parse_with_options(text, options).is_ok();
    // RFC 5321 allows tabs in a quoted local part; events do not.
    if is_address && is_name(text, MAX_EMAIL_CHARS) {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "must be an e-mail address like ada@example.com, of at most {MAX_EMAIL_CHARS} \
             characters"
        )
        .into())
    }
}

fn price_schema() -> ObjectBuilder {
    // The maximum is exact as a double.
    let max = MAX_PRICE.to_string().parse().unwrap_or(f64::MAX);
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .description(Some("An amount of money, with at most four decimals."))
        .minimum(Some(0))
        .maximum(Some(max))
        .multiple_of(Some(0.0001))
        .examples([4.5])
}

fn price(json: &str) -> Result<Money, Message> {
    let price = Money::parse(json).map_err(|error| error.to_string())?;
    if price.is_price() { Ok(price) } else { Err(format!("must be from 0 to {MAX_PRICE}").into()) }
}

fn positive_amount_schema() -> ObjectBuilder {
    price_schema().minimum(Some(0.0001))
}

fn positive_amount(json: &str) -> Result<Money, Message> {
    let amount = price(json)?;
    if amount > Money::ZERO { Ok(amount) } else { Err("must be more than 0".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_are_kept_as_written() {
        for good in ["ada@example.com", "Ada.K+shop@mail.example.co.uk", "adä@exämple.com"] {
            assert_eq!(email(good), Ok(good.to_owned()));
        }
        assert!(email(&format!("{}@example.com", "a".repeat(300))).is_err());
    }
}
