//! Code that the tools share. `stack` does not use it, because `stack` is compiled first on a new
//! machine and has few dependencies.

mod http;
mod latencies;
mod output;
mod pacing;
mod progress;
mod signals;
mod table;

pub use http::{Connection, Lost, Response, write_request};
pub use latencies::Latencies;
pub use output::{exit_code, note, print};
pub use pacing::{Pace, Schedule};
pub use progress::{Progress, grouped, shown};
pub use signals::signals;
pub use table::aligned;
