//! Trace spans of the transactions that place orders.

use super::order::QueuedOrder;
use service_runtime::trace::{KeyValue, Span, SpanBuilder};

/// The spans of one transaction: one below the command of each order whose trace is recorded,
/// so that each trace is complete. All are linked to the first.
#[derive(Debug)]
pub struct TransactionSpans(Vec<Span>);

impl TransactionSpans {
    /// Begins the spans of a transaction that places these orders.
    pub fn begin(orders: &[QueuedOrder]) -> Self {
        let describe = || {
            SpanBuilder::from_name("transaction").with_attributes([
                KeyValue::new("db.system.name", "postgresql"),
                KeyValue::new("shop.orders", orders.len() as i64),
            ])
        };
        let start = |QueuedOrder { origin, .. }: &QueuedOrder| Span::start(origin.trace, describe);
        let mut spans: Vec<Span> = orders.iter().map(start).filter(Span::is_recorded).collect();
        if let [first, rest @ ..] = spans.as_mut_slice()
            && let Some(first) = first.context()
        {
            rest.iter_mut().for_each(|span| span.link(first));
        }
        Self(spans)
    }

    /// Ends the spans, with the reason if the transaction failed.
    pub fn end(mut self, failure: Option<&'static str>) {
        if let Some(reason) = failure {
            self.0.iter_mut().for_each(|span| span.fail(reason));
        }
    }
}
