//! Exact amounts of money.

use crate::limits::{MAX_PRICE, MAX_SUM, MONEY_DECIMALS};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::value::RawValue;
use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// An amount of money: exact, with at most four decimals, within
/// `NUMERIC(24,4)`. There is one currency.
///
/// In JSON it is a number without trailing zeros. It is read and written digit by digit through
/// `RawValue`, because the serde support of `rust_decimal` uses binary floats. A `RawValue` cannot
/// be read in flattened structs or tagged enums (serde-rs/json#545).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a JSON number.
    #[error("must be a number")]
    NotANumber,
    /// More than four decimals.
    #[error("must have at most {MONEY_DECIMALS} decimals")]
    TooPrecise,
    /// Too large to be stored.
    #[error("is too large")]
    TooLarge,
}

impl Money {
    /// Zero.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// An amount in ten-thousandths, below 2^96 of them.
    pub const fn from_units(units: u128) -> Self {
        let (low, middle, high) = (units as u32, (units >> 32) as u32, (units >> 64) as u32);
        Self(Decimal::from_parts(low, middle, high, false, MONEY_DECIMALS))
    }

    /// Converts an amount read from PostgreSQL or calculated.
    ///
    /// # Errors
    /// It has more than four decimals or is outside `NUMERIC(24,4)`.
    pub fn from_decimal(amount: Decimal) -> Result<Self, MoneyError> {
        let amount = amount.normalize();
        if amount.scale() > MONEY_DECIMALS {
            Err(MoneyError::TooPrecise)
        } else if amount.abs() > MAX_SUM.0 {
            Err(MoneyError::TooLarge)
        } else {
            Ok(Self(amount))
        }
    }

    /// Reads the text of a JSON number, in any of JSON's forms.
    ///
    /// A number that differs from one with four decimals by less than 10^-9 of itself is read as
    /// that one: programs that calculate in binary floats write 0.3 as 0.30000000000000004.
    ///
    /// # Errors
    /// It is not a number, has more than four significant decimals, or is outside
    /// `NUMERIC(24,4)`.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        if !is_decimal(digits) || !is_whole(exponent.trim_start_matches(['+', '-'])) {
            return Err(MoneyError::NotANumber);
        }
        let exponent = exponent.parse().map_err(|_| MoneyError::TooLarge)?;
        // This rounds at the 28th digit, far below the noise limit.
        let amount = Decimal::from_str(digits).map_err(|_| MoneyError::TooLarge)?;
        if amount.is_zero() && digits.contains(|c| matches!(c, '1'..='9')) {
            return Err(MoneyError::TooPrecise);
        }
        Self::from_decimal(shift(amount, exponent)?)
    }

    /// The amount for PostgreSQL.
    pub const fn as_decimal(self) -> Decimal {
        self.0
    }

    /// Whether the amount is a valid price: not negative, within `NUMERIC(16,4)`.
    pub fn is_price(self) -> bool {
        self >= Self::ZERO && self <= MAX_PRICE
    }

    /// The sum; none outside `NUMERIC(24,4)`.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = self.0.checked_add(other.0)?;
        Self::from_decimal(sum).ok()
    }

    /// The difference; none outside `NUMERIC(24,4)`.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let difference = self.0.checked_sub(other.0)?;
        Self::from_decimal(difference).ok()
    }

    /// Spreads this amount in proportion to `weights`, exactly: the ten-thousandths that remain
    /// after rounding down go to the largest fractions, of equal ones to the first. No share is
    /// higher than its weight. None if this amount is higher than the sum of the weights, or
    /// something is negative.
    pub fn spread(self, weights: &[Self]) -> Option<Vec<Self>> {
        let amount = self.units()?;
        let weights: Vec<u128> =
            weights.iter().map(|weight| weight.units()).collect::<Option<_>>()?;
        let sum: u128 = weights.iter().sum();
        if amount > sum {
            return None;
        }
        let sum = sum.max(1);
        let mut shares = Vec::with_capacity(weights.len());
        let mut fractions = Vec::with_capacity(weights.len());
        for (index, weight) in weights.iter().enumerate() {
            let product = amount.checked_mul(*weight)?;
            shares.push(product / sum);
            fractions.push((product % sum, index));
        }
        fractions.sort_by_key(|(fraction, index)| (Reverse(*fraction), *index));
        let rest = amount - shares.iter().sum::<u128>();
        for (_, index) in fractions.into_iter().take(usize::try_from(rest).ok()?) {
            shares[index] += 1;
        }
        Some(shares.into_iter().map(Self::from_units).collect())
    }

    /// The amount in ten-thousandths; none if it is negative.
    fn units(self) -> Option<u128> {
        let mut amount = self.0;
        amount.rescale(MONEY_DECIMALS);
        u128::try_from(amount.mantissa()).ok()
    }

    /// This amount multiplied by `quantity`; none outside `NUMERIC(24,4)`.
    pub fn checked_times(self, quantity: i32) -> Option<Self> {
        let product = self.0.checked_mul(quantity.into())?;
        Self::from_decimal(product).ok()
    }
}

/// Whether a text consists of digits, with an optional sign and fraction.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    is_whole(whole) && is_whole(fraction)
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `digits` × 10^`exponent`, exactly but for noise beyond the fourth decimal.
fn shift(digits: Decimal, exponent: i32) -> Result<Decimal, MoneyError> {
    let digits = digits.normalize();
    let scale = i64::from(digits.scale()) - i64::from(exponent);
    if digits.is_zero() {
        return Ok(Decimal::ZERO);
    }
    if scale > i64::from(MONEY_DECIMALS) {
        let units = without_noise(digits.mantissa(), scale - i64::from(MONEY_DECIMALS))
            .ok_or(MoneyError::TooPrecise)?;
        return Ok(Decimal::from_i128_with_scale(units, MONEY_DECIMALS));
    }
    let (scale, zeros) = (scale.max(0).unsigned_abs(), scale.min(0).unsigned_abs());
    u32::try_from(zeros)
        .ok()
        .and_then(|zeros| 10_i128.checked_pow(zeros))
        .and_then(|factor| digits.mantissa().checked_mul(factor))
        .and_then(|units| Decimal::try_from_i128_with_scale(units, scale as u32).ok())
        .ok_or(MoneyError::TooLarge)
}

/// `mantissa` without its last `excess` digits, if they are less than 10^-9 of it.
fn without_noise(mantissa: i128, excess: i64) -> Option<i128> {
    let factor = 10_i128.checked_pow(u32::try_from(excess).ok()?)?;
    let half = if mantissa < 0 { -factor / 2 } else { factor / 2 };
    let rounded = mantissa.checked_add(half)? / factor;
    let noise = (mantissa - rounded.checked_mul(factor)?).abs();
    // A mantissa has 96 bits: times 10^9 it still fits.
    (noise.checked_mul(1_000_000_000)? < mantissa.abs()).then_some(rounded)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.normalize().fmt(f)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(|error| de::Error::custom(format!("an amount {error}")))
    }
}

impl PartialSchema for Money {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Number)
            .description(Some(
                "An amount of money, exact, with at most four decimals and 20 digits before them. \
                 There is one currency.",
            ))
            .multiple_of(Some(0.0001))
            .examples([4.5])
            .into()
    }
}

impl ToSchema for Money {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn money(text: &str) -> Money {
        Money::parse(text).unwrap()
    }

    #[test]
    fn reads_every_form_of_a_json_number() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("12.50", "12.5"),
            ("1.00000", "1"),
            ("1e2", "100"),
            ("125E-2", "1.25"),
            ("1.25e+1", "12.5"),
            ("100e-2", "1"),
            ("0e999999999", "0"),
            ("-3.0001", "-3.0001"),
            // Noise of binary floats, and their exact values.
            ("0.30000000000000004", "0.3"),
            ("-0.30000000000000004", "-0.3"),
            ("3.0000000000000004e-1", "0.3"),
            ("44.97999999999999", "44.98"),
            ("0.1000000000000000055511151231257827021181583404541015625", "0.1"),
            ("19.989999999999998436805981327779591083526611328125", "19.99"),
            ("1.0000000009", "1"),
        ] {
            assert_eq!(money(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn refuses_amounts_that_it_cannot_store_exactly() {
        for (text, error) in [
            ("1.00001", MoneyError::TooPrecise),
            ("1e-5", MoneyError::TooPrecise),
            ("1e-999", MoneyError::TooPrecise),
            ("0.00000000000000000000000000000000001", MoneyError::TooPrecise),
            ("100000000000000000000", MoneyError::TooLarge),
            ("1e999999999999", MoneyError::TooLarge),
            ("123456789012345678901234567890", MoneyError::TooLarge),
            ("\"1\"", MoneyError::NotANumber),
            ("null", MoneyError::NotANumber),
            ("1_000", MoneyError::NotANumber),
            ("", MoneyError::NotANumber),
            ("-", MoneyError::NotANumber),
            ("1.2.3", MoneyError::NotANumber),
            ("1e", MoneyError::NotANumber),
            // Not noise: a billionth or more of the amount.
            ("1.000000002", MoneyError::TooPrecise),
            ("0.00001", MoneyError::TooPrecise),
            ("0.000000000001", MoneyError::TooPrecise),
            ("0.30001", MoneyError::TooPrecise),
        ] {
            assert_eq!(Money::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn json_keeps_every_digit_at_the_bounds() {
        for text in ["99999999999999999999.9999", "12345678901234567890.12", "0.0001", "0.1"] {
            let amount: Money = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&amount).unwrap(), text);
        }
    }

    #[test]
    fn prices_end_at_numeric_16_4() {
        assert!(money("999999999999.9999").is_price());
        assert!(!money("1000000000000").is_price());
        assert!(!money("-0.0001").is_price());
    }

    #[test]
    fn arithmetic_outside_the_bounds_returns_none() {
        assert_eq!(MAX_SUM.checked_add(Money::from_units(1)), None);
        assert_eq!(MAX_PRICE.checked_times(i32::MAX), None);
        assert_eq!(money("0.1").checked_times(3), Some(money("0.3")));
    }

    proptest! {
        #[test]
        fn a_written_amount_is_read_back(units in 0..=999_999_999_999_999_999_999_999_u128) {
            let amount = Money::from_units(units);
            prop_assert_eq!(money(&amount.to_string()), amount);
        }
    }

    #[test]
    fn an_amount_is_spread_exactly_and_never_beyond_a_weight() {
        let money = |text: &str| Money::parse(text).unwrap();
        let spread = |amount: &str, weights: &[&str]| {
            let weights: Vec<Money> = weights.iter().map(|weight| money(weight)).collect();
            let shares = money(amount).spread(&weights)?;
            Some(shares.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let is = |shares: &[&str]| Some(shares.iter().map(|share| (*share).to_owned()).collect());
        assert_eq!(spread("0.0001", &["1", "1", "1"]), is(&["0.0001", "0", "0"]));
        assert_eq!(spread("10", &["10", "10", "10"]), is(&["3.3334", "3.3333", "3.3333"]));
        assert_eq!(spread("5", &["1", "4", "0"]), is(&["1", "4", "0"]));
        assert_eq!(spread("1", &["0.0001", "999999999999.9999"]), is(&["0", "1"]));
        assert_eq!(spread("0", &["0", "0"]), is(&["0", "0"]));
        assert_eq!(spread("0", &[]), is(&[]));
        assert_eq!(spread("5.0001", &["1", "4"]), None);
        assert_eq!(spread("0.0001", &["0"]), None);
    }
}
