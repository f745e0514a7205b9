//! Reading external events: those that our publisher did not send.
//!
//! Of them as little is required as can be. What is missing and has one meaning only is
//! added, what can be read in two ways is refused, and the reason names the property.

use crate::decode::{
    CLOCK_TOLERANCE, MAX_AGGREGATE_VERSION, YEARS, check_version, id_from, not_ahead,
};
use crate::envelope::to_the_microsecond;
use crate::limits::{
    MAX_ADDRESS_CHARS, MAX_CATEGORY_CHARS, MAX_EMAIL_CHARS, MAX_NAME_CHARS, MAX_ORDER_LINES,
};
use crate::properties::{Problem, Properties, elements, text, whole};
use crate::{
    AccountCreated, Attributes, DecodeError, Envelope, Event, EventType, OrderCreated, OrderLine,
    OrderStatus, OrderStatusUpdated, Payload, PriceChanged, PriceStep, ProductState, TraceParent,
    UserState, body, order_total,
};
use chrono::{DateTime, Utc};

/// An external event, read.
#[derive(Clone, Debug)]
pub struct External {
    /// The event. Lines of an `OrderCreated` may lack name and category, which are empty
    /// then; see [`OrderLine::lacks_product`].
    pub event: Event,
    /// Whether only the message has the time.
    time_is_messages: bool,
}

impl External {
    /// Reads an external event that is at hand at `now`.
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

    /// [`Event::content`], without a time that only the message has: that differs from one
    /// attempt to send it to the next.
    pub fn content(&self) -> String {
        let mut event = self.event.clone();
        if self.time_is_messages {
            event.envelope.timestamp = DateTime::UNIX_EPOCH;
        }
        event.content()
    }
}

/// What is wrong with an event of ours that has not the shape of its type; none if that
/// cannot be told.
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

/// The aggregate version of an event that does not say it: a beginning comes before all
/// else, and an order never comes back to a status.
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
        // It says nothing of the stock, by its name.
        None if event_type == EventType::PriceChanged && !properties.strict => 0,
        None => return Err(properties.refuse("stockDelta", "is required")),
    };
    let price = match properties.has("price") {
        false if event_type == EventType::PriceChanged => properties.price("newPrice")?,
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
    let new_price = match properties.has("newPrice") {
        true => properties.price("newPrice")?,
        false => product.price,
    };
    Ok(PriceChanged { product, prices: PriceStep { old_price, new_price } })
}

fn order_created(properties: &Properties<'_>) -> Result<OrderCreated, DecodeError> {
    let items = lines(properties, !properties.strict)?;
    Ok(OrderCreated {
        order_id: properties.id("orderId")?,
        customer_id: properties.id("customerId")?,
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
        customer_id: properties.id("customerId")?,
        old_status: properties.required("oldStatus", status)?,
        new_status: properties.required("newStatus", status)?,
        ordered_at: plain(properties, "orderedAt", ordered_at)?,
        total: total(properties, &items)?,
        items,
    })
}

/// The total; the sum of the lines if it is missing.
fn total(properties: &Properties<'_>, items: &[OrderLine]) -> Result<crate::Money, DecodeError> {
    match properties.amount("total")? {
        Some(total) => Ok(total),
        None if properties.strict => Err(properties.refuse("total", "is required")),
        None => order_total(items).ok_or_else(|| properties.refuse("items", "sum is too large")),
    }
}

/// The lines, which may lack name and category if the catalogue can tell them.
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
mod tests {
    use super::*;
    use crate::Money;

    /// As little as an order can have.
    const ORDER: &str = r#"{"eventId":"till-1","eventType":"OrderCreated",
        "timestamp":"2026-01-01T10:30:00","orderId":7,"customerId":42,
        "items":[{"productId":1,"quantity":2,"price":19.99}]}"#;
    const PRODUCT: &str = r#"{"eventId":"p-1","eventType":"ProductCreated",
        "timestamp":"2026-01-01T10:30:00","productId":1,"name":"Tea","category":"Food",
        "price":"4.50","stock":10}"#;

    fn decode(body: &str, attributes: Attributes<'_>) -> Result<External, DecodeError> {
        External::decode(body.as_bytes(), attributes, "2026-01-01T12:00:00Z".parse().unwrap())
    }

    fn read(body: &str) -> Event {
        decode(body, Attributes::default()).unwrap().event
    }

    fn changed(body: &str, from: &str, to: &str) -> String {
        assert!(body.contains(from), "{from} is not there");
        body.replacen(from, to, 1)
    }

    #[test]
    fn what_an_order_does_not_say_is_added_where_it_has_one_meaning() {
        let event = read(ORDER);
        assert_eq!(event.envelope.timestamp.to_rfc3339(), "2026-01-01T10:30:00+00:00");
        assert_eq!((event.envelope.version, event.envelope.aggregate_version), (1, 1));
        let Payload::OrderCreated(order) = &event.payload else { panic!("{event:?}") };
        assert_eq!(
            (order.total.to_string().as_str(), order.status),
            ("39.98", OrderStatus::Created)
        );
        assert!(order.items[0].lacks_product());
        for (from, to) in [
            ("19.99", "\"19.990\""),
            ("19.99", "19.990000000000002"),
            ("\"quantity\":2", "\"quantity\":2.0,\"productName\":null"),
            ("\"orderId\"", "\"total\":39.980000000000004,\"status\":null,\"orderId\""),
        ] {
            assert_eq!(read(&changed(ORDER, from, to)), event, "{to}");
        }
    }

    #[test]
    fn the_first_delta_of_a_product_is_its_stock_unless_it_says_otherwise() {
        let delta = |body: &str| read(body).payload.product().unwrap().stock_delta;
        assert_eq!(delta(PRODUCT), 10);
        assert_eq!(delta(&changed(PRODUCT, ",\"stock\":10", "")), 0);
        assert_eq!(delta(&changed(PRODUCT, "10}", "10,\"stockDelta\":4}")), 4);
        let price = Money::parse("4.5").unwrap();
        assert_eq!(read(PRODUCT).payload.product().unwrap().price, price);
        let priced = changed(PRODUCT, "ProductCreated", "PriceChanged");
        let priced = changed(&priced, "\"price\"", "\"oldPrice\":4,\"newPrice\"");
        let Payload::PriceChanged(change) = read(&priced).payload else { panic!() };
        assert_eq!((change.product.price, change.product.stock_delta), (price, 0));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_by_name() {
        let update = changed(PRODUCT, "ProductCreated", "ProductUpdated");
        for (body, from, to, told) in [
            (ORDER, "19.99", "\"19,99\"", "items[0].price: must be a number or a decimal string"),
            (ORDER, "19.99", "19.999999", "items[0].price: must have at most 4 decimals"),
            (ORDER, "19.99", "null", "items[0].price: is required"),
            (ORDER, "19.99}", "19.99,\"price\":20}", "items[0].price: appears more than once"),
            (ORDER, "19.99}", "19.99,\"category\":\"\"}", "items[0].category: must be 1 to 100"),
            (ORDER, "\"quantity\":2", "\"quantity\":\"2\"", "items[0].quantity: must be a whole"),
            (ORDER, "\"customerId\":42,", "", "customerId: is required"),
            (ORDER, "42", "\"42\"", "customerId: must be a whole number of at least 1"),
            (ORDER, "\"items\":[", "\"items\":[7,", "items[0]: must be an object"),
            (ORDER, "\"orderId\"", "\"total\":40,\"orderId\"", "total: must be the sum"),
            (ORDER, "\"orderId\"", "\"status\":\"paid\",\"orderId\"", "status: must be one of"),
            (ORDER, "T10:30:00", "", "timestamp: must be an ISO 8601"),
            (ORDER, "\"2026-01-01T10:30:00\"", "1767263400", "timestamp: must be a string"),
            (ORDER, "\"eventType\":\"OrderCreated\",", "", "eventType: is required"),
            (&update, "\"stock\":10", "\"stock\":null", "stockDelta: is required"),
            (&update, ",\"stock\":10", "", "stock: is required: null if it is not"),
            (PRODUCT, "\"Tea\"", "7", "name: must be a string"),
        ] {
            let error = decode(&changed(body, from, to), Attributes::default()).unwrap_err();
            assert!(error.to_string().starts_with(told), "{to}: {error}");
        }
        let empty = changed(ORDER, "{\"productId\":1,\"quantity\":2,\"price\":19.99}", "");
        let error = decode(&empty, Attributes::default()).unwrap_err().to_string();
        assert_eq!(error, format!("items: must have 1 to {MAX_ORDER_LINES} lines"));
    }

    #[test]
    fn the_message_tells_what_the_body_does_not() {
        let body = changed(ORDER, "\"timestamp\":\"2026-01-01T10:30:00\",", "");
        let body = changed(&body, "\"eventId\":\"till-1\",\"eventType\":\"OrderCreated\",", "");
        let mut attributes = Attributes {
            message_id: Some("0190a000-0000-7000-8000-00000000002a"),
            timestamp: "2025-05-05T05:05:05Z".parse().ok(),
            kind: Some("OrderCreated"),
            ..Attributes::default()
        };
        let read = decode(&body, attributes).unwrap();
        assert_eq!(Some(read.event.envelope.event_id.to_string().as_str()), attributes.message_id);
        assert_eq!(Some(read.event.envelope.timestamp), attributes.timestamp);
        // Sent again later, it is the same event.
        attributes.timestamp = "2025-05-05T06:06:06Z".parse().ok();
        assert_eq!(decode(&body, attributes).unwrap().content(), read.content());
        attributes.timestamp = None;
        assert!(matches!(decode(&body, attributes), Err(DecodeError::NoTimestamp)));
        attributes.message_id = Some("");
        assert!(matches!(decode(&body, attributes), Err(DecodeError::NoEventId)));
    }

    #[test]
    fn a_text_is_an_event_id_within_its_queue_and_application() {
        let id = |queue, app_id| {
            let attributes = Attributes { queue, app_id, ..Attributes::default() };
            decode(ORDER, attributes).unwrap().event.envelope.event_id
        };
        let first = id("order-events", Some("till"));
        assert_eq!(first, id("order-events", Some("till")));
        assert_eq!(first.get_version_num(), 5);
        assert_ne!(first, id("order-events", Some("web")));
        assert_ne!(first, id("order-events", None));
        assert_ne!(first, id("product-events", Some("till")));
    }

    #[test]
    fn content_is_the_same_however_its_json_is_written() {
        let content = |body: &str| decode(body, Attributes::default()).unwrap().content();
        let other = changed(ORDER, "\"orderId\":7,", "");
        let other = changed(&other, "\"items\"", "\"note\":1, \"orderId\": 7,\"items\"");
        assert_eq!(content(&other), content(ORDER));
        assert_ne!(content(&changed(ORDER, "19.99", "19.98")), content(ORDER));
    }

    #[test]
    fn without_a_version_an_order_still_goes_its_way() {
        let update = include_str!("../golden/OrderStatusUpdated.v1.json");
        let update = changed(update, "\"aggregateVersion\": 3,", "");
        let version =
            |status| read(&changed(&update, "\"CANCELLED\"", status)).envelope.aggregate_version;
        let (shipped, refunded) = (version("\"SHIPPED\""), version("\"REFUNDED\""));
        assert!(read(ORDER).envelope.aggregate_version < shipped && shipped < refunded);
    }

    #[test]
    fn events_from_the_future_are_refused_beyond_five_minutes() {
        let at = |time| decode(&changed(ORDER, "2026-01-01T10:30:00", time), Attributes::default());
        assert!(at("2026-01-01T12:05:00").is_ok());
        let error = at("2026-01-01T12:05:01").unwrap_err().to_string();
        assert_eq!(error, "timestamp: 2026-01-01T12:05:01Z is more than 5 minutes ahead");
        let update = include_str!("../golden/OrderStatusUpdated.v1.json");
        let ordered = update.replace("2026-01-01T10:30:00.123456Z", "2200-01-01T00:00:00Z");
        let error = decode(&ordered, Attributes::default()).unwrap_err();
        assert!(matches!(error, DecodeError::InTheFuture("orderedAt", _)), "{error}");
    }
}
