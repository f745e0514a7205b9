//! Dead letters: messages that cannot be applied, stored with their bytes and the reason, so
//! that the messages behind them are not blocked. Operators inspect, redrive or discard them:
//! see `dead_letter_admin`.

mod count;
mod store;

pub use count::count;
pub use store::{DeadLetter, Stored, digest, storable, store};
