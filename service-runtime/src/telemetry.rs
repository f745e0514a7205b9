//! Logs and traces.

use crate::config::{Common, LogFormat};
use crate::log_lines::Lines;
use crate::metrics::service::PANICS;
use crate::trace_export;
use std::io::IsTerminal;
use std::panic;
use tracing::error;
use tracing_subscriber::EnvFilter;

/// Default of `RUST_LOG`. The AMQP client is excluded because it also returns as errors
/// what it logs.
const DEFAULT_FILTER: &str = "info,sqlx=warn,lapin=off";

/// Never logged, even if `RUST_LOG` selects it: the OTLP client logs each failure, but
/// [`trace_export`] already logs the first.
const SILENCED: &str = "opentelemetry-otlp=off";

/// Starts logging to standard error, filtered by `RUST_LOG`, and sending traces if a
/// collector is configured.
///
/// # Errors
/// If a setting is invalid.
pub fn start(service: &'static str, settings: &Common) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER))
        .add_directive(SILENCED.parse()?);
    let has_colours = settings.log_format == LogFormat::Text && std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(has_colours)
        .event_format(Lines(settings.log_format))
        .init();
    panic::set_hook(Box::new(log_panic));
    trace_export::start(service, &settings.traces)
}

/// Logs the location of a panic, and the message if it is a literal. A formatted message
/// may contain client data.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    PANICS.increment(1);
    let message = info.payload().downcast_ref::<&'static str>().unwrap_or(&"(not shown)");
    match info.location() {
        Some(location) => error!("panicked at {location}: {message}"),
        None => error!("panicked: {message}"),
    }
}
