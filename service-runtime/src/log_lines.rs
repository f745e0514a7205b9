//! Writes each log event as one line, as text for people or as a JSON object.
//!
//! Messages and fields may contain client data. Characters that would start a new line or
//! control a terminal are escaped here, so callers need not escape them.

use crate::config::LogFormat;
use crate::trace;
use chrono::{SecondsFormat, Utc};
use safe_text::is_unsafe;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Maximum length of a message or field, in characters.
const MAX_CHARS: usize = 4_096;

/// Writes events as lines in a format.
#[derive(Clone, Copy, Debug)]
pub struct Lines(pub LogFormat);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut content = Content { format: self.0, message: String::new(), fields: String::new() };
        event.record(&mut content);
        if let Some(id) = trace::request_id() {
            content.text("request_id", id.to_str().unwrap_or_default());
        }
        if let Some(trace) = trace::current() {
            content.text("trace_id", &format!("{:032x}", trace.trace_id()));
        }
        let Content { message, fields, .. } = content;
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let (level, target) = (event.metadata().level(), event.metadata().target());
        match self.0 {
            LogFormat::Text => {
                let level = padded(level, line.has_ansi_escapes());
                writeln!(line, "{time} {level} {target}: {message}{fields}")
            }
            LogFormat::Json => writeln!(
                line,
                r#"{{"timestamp":"{time}","level":"{level}","target":"{target}","message":"{message}"{fields}}}"#,
            ),
        }
    }
}

/// A level, five characters wide.
fn padded(level: &Level, has_colours: bool) -> String {
    let colour = match *level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    let level = format!("{:>5}", level.as_str());
    if has_colours { format!("\u{1b}[{colour}m{level}\u{1b}[0m") } else { level }
}

/// The formatted message and fields of an event.
struct Content {
    format: LogFormat,
    message: String,
    fields: String,
}

impl Content {
    fn text(&mut self, name: &str, text: &str) {
        let is_quoted = self.format == LogFormat::Json || !is_plain(text);
        let quote = if is_quoted { "\"" } else { "" };
        let escaped = escape(text, self.format, is_quoted);
        self.value(name, format_args!("{quote}{escaped}{quote}"));
    }

    fn value(&mut self, name: &str, value: impl fmt::Display) {
        // Writing to a string cannot fail.
        let _ = match self.format {
            LogFormat::Text => write!(self.fields, " {name}={value}"),
            LogFormat::Json => write!(self.fields, r#","{name}":{value}"#),
        };
    }
}

impl Visit for Content {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => {
                self.message = escape(value, self.format, self.format == LogFormat::Json);
            }
            // Source locations of records of the crate `log`.
            name if name.starts_with("log.") => {}
            name => self.text(name, value),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.value(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.value(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.value(field.name(), value);
        } else {
            self.text(field.name(), &value.to_string());
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.value(field.name(), value);
    }
}

/// Whether the end of a value is clear without quotation marks.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '"', '=', '\\'])
}

/// Text of bounded length with unsafe characters escaped. If it is quoted, quotation marks
/// are also escaped.
fn escape(text: &str, format: LogFormat, is_quoted: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    for character in characters.by_ref().take(MAX_CHARS) {
        match (character, format) {
            ('"' | '\\', _) if is_quoted => escaped.extend(['\\', character]),
            _ if !is_unsafe(character) => escaped.push(character),
            (_, LogFormat::Json) => escaped += &format!("\\u{:04x}", u32::from(character)),
            (_, LogFormat::Text) => escaped.extend(character.escape_default()),
        }
    }
    escaped.extend(characters.next().map(|_| '…'));
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Mutex;
    use tracing::info;

    const UNSAFE: &str =
        "a\r\nb\tc\u{1b}[2J\u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\"q\" \\ é 日";

    fn logged(format: LogFormat, log: impl FnOnce()) -> String {
        let (reader, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(Mutex::new(writer))
            .with_ansi(false)
            .event_format(Lines(format))
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        io::read_to_string(reader).unwrap()
    }

    fn log_unsafe_text() {
        info!(display = %UNSAFE, debug = ?UNSAFE, text = UNSAFE, "read {UNSAFE}");
    }

    #[test]
    fn an_event_is_one_line_without_unsafe_characters() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let line = logged(format, log_unsafe_text);
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(is_unsafe), "{line:?}");
            assert!(line.contains("é 日"), "{line}");
        }
    }

    #[test]
    fn json_is_flat_and_preserves_values() {
        let line = logged(LogFormat::Json, || {
            let trace = trace_context::TraceParent::new(0xabc, 1, 0);
            trace::with(Some(trace), log_unsafe_text);
            info!(number = -7, big = u64::MAX, ratio = 0.5, none = f64::NAN, yes = true);
        });
        let lines: Vec<serde_json::Value> =
            line.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (first, second) = (&lines[0], &lines[1]);
        assert_eq!(first["message"], format!("read {UNSAFE}"));
        assert_eq!(first["display"], UNSAFE);
        assert_eq!(first["text"], UNSAFE);
        assert_eq!(first["level"], "INFO");
        assert_eq!(first["target"], module_path!());
        assert_eq!(first["trace_id"], format!("{:032x}", 0xabc));
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z'));
        assert_eq!((&second["number"], &second["ratio"]), (&(-7).into(), &0.5.into()));
        assert_eq!((&second["none"], &second["yes"]), (&"NaN".into(), &true.into()));
        assert_eq!(second["big"], u64::MAX);
        assert_eq!(second.get("trace_id"), None);
    }

    #[test]
    fn a_value_cannot_pass_for_another_field() {
        let line = logged(LogFormat::Text, || info!(name = "a status=200", of = "b", "read"));
        assert!(line.ends_with("read name=\"a status=200\" of=b\n"), "{line}");
    }

    #[test]
    fn a_long_message_is_truncated() {
        let long = "é".repeat(MAX_CHARS + 1);
        let line = logged(LogFormat::Text, || info!("{long}"));
        assert_eq!(line.matches('é').count(), MAX_CHARS);
        assert!(line.ends_with("…\n"));
    }
}
