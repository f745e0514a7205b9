//! Logs and traces.

use crate::config::{Common, LogFormat};
use crate::log_lines::Lines;
use crate::trace_export;
use std::io::IsTerminal;
use std::panic;
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// What is logged unless `RUST_LOG` says otherwise. The AMQP client is left out: what
/// it has to say also reaches us as errors.
const DEFAULT_FILTER: &str = "info,sqlx=warn,lapin=off";

/// Never logged: each failure to send traces. Our own exporter tells of the first.
const SILENCED: [&str; 1] = ["opentelemetry-otlp=off"];

/// Starts logging to standard error, filtered by `RUST_LOG`, and the sending of traces
/// of the service of that name, if there is a collector.
///
/// # Errors
/// If a setting makes no sense.
pub fn start(service: &'static str, settings: &Common) -> anyhow::Result<()> {
    let mut filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    for directive in SILENCED {
        filter = filter.add_directive(directive.parse::<Directive>()?);
    }
    let has_colours = settings.log_format == LogFormat::Text && std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(has_colours)
        .event_format(Lines::new(settings.log_format))
        .init();
    panic::set_hook(Box::new(log_panic));
    trace_export::start(service, &settings.traces)
}

/// Logs where a panic was, and why if that was written in the program: a text made
/// then may quote what a client sent.
fn log_panic(info: &panic::PanicHookInfo<'_>) {
    let why = info.payload().downcast_ref::<&'static str>().unwrap_or(&"(not shown)");
    match info.location() {
        Some(place) => error!("panicked at {place}: {why}"),
        None => error!("panicked: {why}"),
    }
}
