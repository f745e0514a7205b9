//! Reads external events: those that our publisher did not send.
//!
//! Few properties are required. A missing property gets a default if it can have only one
//! meaning; an ambiguous value is refused, and the reason names the property.

use crate::decode::{
    CLOCK_TOLERANCE, MAX_AGGREGATE_VERSION, YEARS, check_version, id_from, not_ahead,
};
use crate::envelope::to_the_microsecond;
use crate::limits::{
    MAX_ADDRESS_CHARS, MAX_CATEGORY_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS, MAX_ORDER_LINES,
};
use crate::properties::{Problem, Properties, elements, text, whole};
use crate::{
    AccountCreated, Attributes, DecodeError, Envelope, Event, EventType, OrderCreated, OrderHeader,
    OrderLine, OrderStatus, OrderStatusUpdated, Payload, PriceChanged, PriceStep, ProductState,
    UserState, body, order_total,
};
use chrono::{DateTime, Utc};
use trace_context::TraceParent;

/// An external event, read.
#[derive(Clone, Debug)]
pub struct External {
    /// The event. Lines of an `OrderCreated` may lack name and category, which are empty
    /// then; see [`OrderLine::lacks_product`].
    pub event: Event,
    /// Whether the time comes from the message.
    time_is_messages: bool,
}

impl External {
    /// Reads an external event at the time `now`.
    ///
    /// # Errors
    /// If the bytes are no event that can be applied; see [`DecodeError`].
    pub fn decode(
        body: &[u8],
        attributes: Attributes<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, DecodeError> {
        if let Some(fault) = body::fault(body, attributes.content_encoding) {
            return Err(DecodeError::Body(fault));
        }
        let properties = read(body, false)?;
        let event_id = id_from(properties.optional("eventId", text)?.as_deref(), attributes)
            .ok_or(DecodeError::NoEventId)?;
        let in_body = properties.time("timestamp")?;
        let timestamp = in_body.or(attributes.timestamp).ok_or(DecodeError::NoTimestamp)?;
        let timestamp = plain(&properties, "timestamp", timestamp)?;
        not_ahead("timestamp", timestamp, now + CLOCK_TOLERANCE)?;
        let kind = properties.optional("eventType", text)?;
        let kind = kind.as_deref().or(attributes.kind);
        let kind = kind.ok_or_else(|| properties.refuse("eventType", "is required"))?;
        let version = properties.small("version", 0, i32::MAX)?.unwrap_or(1);
        let event_type = check_version(kind, version.unsigned_abs())?;
        let payload = payload(&properties, event_type)?;
        if let Payload::OrderStatusUpdated(update) = &payload {
            not_ahead("orderedAt", update.ordered_at, now + CLOCK_TOLERANCE)?;
        }
        let aggregate_version = properties
            .optional("aggregateVersion", |json| whole(json, 1, MAX_AGGREGATE_VERSION, false))?
            .unwrap_or_else(|| likely_version(&payload));
        let trace = properties.optional("traceparent", |json| Ok(text(json).ok()));
        let traceparent = trace?.flatten().as_deref().and_then(TraceParent::parse);
        let envelope = Envelope { event_id, version: 1, aggregate_version, timestamp, traceparent };
        let event = Event { envelope, payload };
        Ok(Self { event, time_is_messages: in_body.is_none() })
    }

    /// [`Event::content`], without a time that only the message has, because it differs
    /// when the event is sent again.
    pub fn content(&self) -> String {
        let mut event = self.event.clone();
        if self.time_is_messages {
            event.envelope.timestamp = DateTime::UNIX_EPOCH;
        }
        event.content()
    }
}

/// Describes why an event of ours does not match its type; none if no reason is found.
pub(crate) fn fault_of_ours(body: &[u8], content_encoding: Option<&str>) -> Option<DecodeError> {
    if let Some(fault) = body::fault(body, content_encoding) {
        return Some(DecodeError::Body(fault));
    }
    let check = || {
        let properties = read(body, true)?;
        properties.required("eventId", text)?;
        let kind = properties.required("eventType", text)?;
        let version = properties.whole("version", 0, i32::MAX.into())?;
        properties.whole("aggregateVersion", 1, MAX_AGGREGATE_VERSION)?;
        properties.time("timestamp")?.ok_or(DecodeError::NoTimestamp)?;
        payload(&properties, check_version(&kind, version as u32)?).map(|_| ())
    };
    check().err()
}

fn read(body: &[u8], strict: bool) -> Result<Properties<'_>, DecodeError> {
    let text = std::str::from_utf8(body).map_err(|_| DecodeError::Body("not UTF-8".to_owned()))?;
    Properties::read(text, String::new(), strict)
}

/// The aggregate version of an event without one: a creation is first, and an order never
/// returns to a status.
fn likely_version(payload: &Payload) -> i64 {
    match payload {
        Payload::ProductCreated(_) | Payload::OrderCreated(_) | Payload::UserCreated(_) => 1,
        Payload::OrderStatusUpdated(update) => update.new_status.likely_version(),
        Payload::ProductUpdated(_)
        | Payload::PriceChanged(_)
        | Payload::UserUpdated(_)
        | Payload::AccountCreated(_) => 2,
    }
}

fn payload(properties: &Properties<'_>, event_type: EventType) -> Result<Payload, DecodeError> {
    Ok(match event_type {
        EventType::ProductCreated => Payload::ProductCreated(product(properties, event_type)?),
        EventType::ProductUpdated => Payload::ProductUpdated(product(properties, event_type)?),
        EventType::PriceChanged => Payload::PriceChanged(price_changed(properties)?),
        EventType::OrderCreated => Payload::OrderCreated(order_created(properties)?.check()?),
        EventType::OrderStatusUpdated => {
            Payload::OrderStatusUpdated(status_updated(properties)?.check()?)
        }
        EventType::UserCreated => Payload::UserCreated(user(properties)?),
        EventType::UserUpdated => Payload::UserUpdated(user(properties)?),
        EventType::AccountCreated => Payload::AccountCreated(account(properties)?),
    })
}

fn product(
    properties: &Properties<'_>,
    event_type: EventType,
) -> Result<ProductState, DecodeError> {
    let is_new = event_type == EventType::ProductCreated;
    if !is_new && !properties.has("stock") {
        return Err(properties.refuse("stock", "is required: null if it is not tracked"));
    }
    let stock = properties.small("stock", 0, i32::MAX)?;
    let stock_delta = match properties.small("stockDelta", -i32::MAX, i32::MAX)? {
        Some(delta) => delta,
        None if is_new && !properties.strict => stock.unwrap_or(0),
        // A price change does not change the stock.
        None if event_type == EventType::PriceChanged && !properties.strict => 0,
        None => return Err(properties.refuse("stockDelta", "is required")),
    };
    let price = match properties.json("price")? {
        None if event_type == EventType::PriceChanged => properties.price("newPrice")?,
        _ => properties.price("price")?,
    };
    Ok(ProductState {
        product_id: properties.id("productId")?,
        name: properties.required_name("name", MAX_NAME_CHARS)?,
        category: properties.required_name("category", MAX_CATEGORY_CHARS)?,
        price,
        stock,
        stock_delta: stock_delta.into(),
    })
}

fn price_changed(properties: &Properties<'_>) -> Result<PriceChanged, DecodeError> {
    let product = product(properties, EventType::PriceChanged)?;
    let old_price = properties.price("oldPrice")?;
    let new_price = match properties.json("newPrice")? {
        Some(_) => properties.price("newPrice")?,
        None => product.price,
    };
    Ok(PriceChanged { product, prices: PriceStep { old_price, new_price } })
}

fn order_created(properties: &Properties<'_>) -> Result<OrderCreated, DecodeError> {
    let items = lines(properties, !properties.strict)?;
    Ok(OrderCreated {
        order_id: properties.id("orderId")?,
        header: header(properties)?,
        status: properties.optional("status", status)?.unwrap_or_default(),
        total: total(properties, &items)?,
        items,
    })
}

fn status_updated(properties: &Properties<'_>) -> Result<OrderStatusUpdated, DecodeError> {
    let ordered_at = properties.time("orderedAt")?;
    let ordered_at = ordered_at.ok_or_else(|| properties.refuse("orderedAt", "is required"))?;
    let items = lines(properties, false)?;
    Ok(OrderStatusUpdated {
        order_id: properties.id("orderId")?,
        header: header(properties)?,
        old_status: properties.required("oldStatus", status)?,
        new_status: properties.required("newStatus", status)?,
        ordered_at: plain(properties, "orderedAt", ordered_at)?,
        total: total(properties, &items)?,
        items,
    })
}

fn header(properties: &Properties<'_>) -> Result<OrderHeader, DecodeError> {
    Ok(OrderHeader { customer_id: properties.id("customerId")? })
}

/// The total; the sum of the lines if it is missing.
fn total(properties: &Properties<'_>, items: &[OrderLine]) -> Result<crate::Money, DecodeError> {
    match properties.amount("total")? {
        Some(total) => Ok(total),
        None if properties.strict => Err(properties.refuse("total", "is required")),
        None => order_total(items).ok_or_else(|| properties.refuse("items", "sum is too large")),
    }
}

/// The lines. With `may_lack`, name and category may be missing; the catalogue adds them.
fn lines(properties: &Properties<'_>, may_lack: bool) -> Result<Vec<OrderLine>, DecodeError> {
    let items = properties.required("items", |json| {
        let count = elements(json)?.len();
        if (1..=MAX_ORDER_LINES).contains(&count) {
            Ok(json.to_owned())
        } else {
            Err(format!("must have 1 to {MAX_ORDER_LINES} lines").into())
        }
    })?;
    let items = elements(&items).unwrap_or_default();
    let paths = (0..).map(|index| properties.path(&format!("items[{index}]")));
    items
        .into_iter()
        .zip(paths)
        .map(|(json, path)| line(&Properties::read(json, path, properties.strict)?, may_lack))
        .collect()
}

fn line(properties: &Properties<'_>, may_lack: bool) -> Result<OrderLine, DecodeError> {
    let name = |name, max| match properties.name(name, max)? {
        Some(text) => Ok(text),
        None if may_lack => Ok(String::new()),
        None => Err(properties.refuse(name, "is required")),
    };
    let quantity = properties.small("quantity", 1, i32::MAX)?;
    Ok(OrderLine {
        product_id: properties.id("productId")?,
        product_name: name("productName", MAX_NAME_CHARS)?,
        category: name("category", MAX_CATEGORY_CHARS)?,
        quantity: quantity.ok_or_else(|| properties.refuse("quantity", "is required"))?,
        price: properties.price("price")?,
        stock_taken: properties.small("stockTaken", i32::MIN, i32::MAX)?,
        stock_returned: properties.small("stockReturned", i32::MIN, i32::MAX)?,
    })
}

fn user(properties: &Properties<'_>) -> Result<UserState, DecodeError> {
    Ok(UserState {
        user_id: properties.id("userId")?,
        name: properties.required_name("name", MAX_NAME_CHARS)?,
        email: properties.required_name("email", MAX_EMAIL_CHARS)?,
    })
}

fn account(properties: &Properties<'_>) -> Result<AccountCreated, DecodeError> {
    let part = |name| properties.required_name(name, MAX_ADDRESS_CHARS);
    Ok(AccountCreated {
        account_id: properties.id("accountId")?,
        user_id: properties.id("userId")?,
        address1: part("address1")?,
        city: part("city")?,
        state: part("state")?,
        zip: part("zip")?,
    })
}

fn status(json: &str) -> Result<OrderStatus, Problem> {
    OrderStatus::from_text(&text(json)?).ok_or_else(|| {
        let all: Vec<&str> = OrderStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("must be one of {}", all.join(", ")).into()
    })
}

/// A time as it can be stored.
fn plain(
    properties: &Properties<'_>,
    name: &str,
    time: DateTime<Utc>,
) -> Result<DateTime<Utc>, DecodeError> {
    to_the_microsecond(time).ok_or_else(|| properties.refuse(name, YEARS))
}

#[cfg(test)]
mod tests;
