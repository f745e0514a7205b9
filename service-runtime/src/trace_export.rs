//! Sends traces to a collector by OTLP over HTTP.
//!
//! A slow or unreachable collector does not affect the service: a separate thread sends the
//! spans from a bounded queue, and spans are dropped while the queue is full. A failure is
//! logged once, not for each batch.

use crate::trace;
use crate::whole_number::whole;
use anyhow::{Context, bail, ensure};
use opentelemetry::trace::{Link, SpanKind, TraceId, TraceState, TracerProvider};
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, SamplingResult,
    SdkTracerProvider, ShouldSample, SpanData, SpanExporter,
};
use std::env;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Default of `OTEL_BSP_MAX_QUEUE_SIZE`, in spans: about 10 MB. A batch of the consumer
/// service ends 2,000 spans at once.
const QUEUE_SIZE: usize = 16_384;

/// Sizes that the SDK reads itself. It allocates a queue of that size immediately, so they
/// are checked first.
const QUEUE_SIZE_VARIABLES: [&str; 2] =
    ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"];

/// Time to send the remaining spans at shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Trace settings: the standard variables of OpenTelemetry. An empty variable counts as
/// unset. The SDK also reads `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
/// `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT`, `OTEL_BSP_*` and
/// `OTEL_SPAN_*_LIMIT`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TraceSettings {
    /// Base URL of a collector that accepts OTLP over HTTP, such as `http://localhost:4318`.
    /// Empty: no traces are sent.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", hide_env_values = true, default_value = "")]
    pub otlp_endpoint: String,

    /// Full URL for traces; overrides `OTEL_EXPORTER_OTLP_ENDPOINT`.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        hide_env_values = true,
        default_value = ""
    )]
    pub otlp_traces_endpoint: String,

    /// Protocol of the collector. Only `http/protobuf` is supported.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_PROTOCOL", default_value = "")]
    pub otlp_protocol: String,

    /// Protocol for traces; overrides `OTEL_EXPORTER_OTLP_PROTOCOL`.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", default_value = "")]
    pub otlp_traces_protocol: String,

    /// `otlp` or `none`. With `none`, no traces are sent.
    #[arg(long, env = "OTEL_TRACES_EXPORTER", default_value = "")]
    pub traces_exporter: String,

    /// With `true`, no traces are sent.
    #[arg(long, env = "OTEL_SDK_DISABLED", default_value = "")]
    pub otel_sdk_disabled: String,

    /// Which traces are recorded: `always_on`, `always_off`, `traceidratio`, or one of
    /// these with the prefix `parentbased_`, which follows the sampled flag of the client's
    /// trace if the request has one. Default: `parentbased_always_on`.
    #[arg(long, env = "OTEL_TRACES_SAMPLER", default_value = "")]
    pub traces_sampler: String,

    /// The fraction of traces that `traceidratio` records, from 0 to 1.
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value = "")]
    pub traces_sampler_arg: String,
}

/// The running export.
struct Export {
    provider: SdkTracerProvider,
    ending: CancellationToken,
}

static EXPORT: OnceLock<Export> = OnceLock::new();

/// Starts sending the traces of a service if a collector is configured. Must be called
/// within the Tokio runtime.
///
/// # Errors
/// If a setting is invalid.
pub fn start(service: &'static str, settings: &TraceSettings) -> anyhow::Result<()> {
    let Some(endpoint) = settings.endpoint()? else { return Ok(()) };
    let sampler = settings.sampler()?;
    for name in QUEUE_SIZE_VARIABLES {
        let size = env::var(name).unwrap_or_default();
        let is_size = size.is_empty() || whole::<usize>(1, 1_000_000)(&size).is_ok();
        ensure!(is_size, "{name} is {size:?}, but must be a whole number from 1 to 1000000");
    }
    let ending = CancellationToken::new();
    let exporter = Exporter {
        inner: opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(&endpoint)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .context("cannot send traces")?,
        runtime: Handle::current(),
        ending: ending.clone(),
        is_failing: AtomicBool::new(false),
    };
    let queue = BatchConfigBuilder::default();
    let queue = match env::var("OTEL_BSP_MAX_QUEUE_SIZE") {
        // The builder has read the variable.
        Ok(size) if !size.is_empty() => queue,
        _ => queue.with_max_queue_size(QUEUE_SIZE),
    };
    let processor = BatchSpanProcessor::builder(exporter).with_batch_config(queue.build()).build();
    let provider = SdkTracerProvider::builder()
        .with_sampler(LinkSampler(sampler))
        .with_resource(resource(service))
        .with_span_processor(processor)
        .build();
    trace::install(provider.tracer(service));
    let _ = EXPORT.set(Export { provider, ending });
    info!("sending traces to a collector");
    Ok(())
}

/// Sends the remaining spans, for at most a second, and stops.
pub async fn shut_down() {
    let Some(Export { provider, ending }) = EXPORT.get() else { return };
    let mut flushing =
        tokio::task::spawn_blocking(|| provider.shutdown_with_timeout(2 * FLUSH_TIMEOUT));
    if timeout(FLUSH_TIMEOUT, &mut flushing).await.is_err() {
        ending.cancel();
        let _ = flushing.await;
    }
}

impl TraceSettings {
    /// The URL that traces are sent to; none if they are not sent.
    fn endpoint(&self) -> anyhow::Result<Option<String>> {
        let endpoint = match (self.otlp_traces_endpoint.as_str(), self.otlp_endpoint.as_str()) {
            ("", "") => return Ok(None),
            ("", base) => format!("{}/v1/traces", base.trim_end_matches('/')),
            (whole, _) => whole.to_owned(),
        };
        match self.traces_exporter.as_str() {
            "" | "otlp" => {}
            "none" => return Ok(None),
            other => bail!("OTEL_TRACES_EXPORTER is {other:?}, but must be otlp or none"),
        }
        if self.otel_sdk_disabled.eq_ignore_ascii_case("true") {
            return Ok(None);
        }
        ensure!(
            endpoint.starts_with("http://"),
            "the endpoint for traces must begin with http://; to send traces by TLS, run a \
             collector beside the service that forwards them"
        );
        let protocol = or(&self.otlp_traces_protocol, &self.otlp_protocol);
        ensure!(
            matches!(protocol, "" | "http/protobuf"),
            "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol:?}, but must be http/protobuf, which a \
             collector usually accepts on port 4318"
        );
        Ok(Some(endpoint))
    }

    fn sampler(&self) -> anyhow::Result<Sampler> {
        let name = or(&self.traces_sampler, "parentbased_always_on");
        let (is_parent_based, own) =
            name.strip_prefix("parentbased_").map_or((false, name), |own| (true, own));
        let sampler = match own {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.ratio()?),
            _ => bail!(
                "OTEL_TRACES_SAMPLER is {name:?}, but must be always_on, always_off or \
                 traceidratio, or one of these with the prefix parentbased_"
            ),
        };
        Ok(if is_parent_based { Sampler::ParentBased(Box::new(sampler)) } else { sampler })
    }

    fn ratio(&self) -> anyhow::Result<f64> {
        let text = or(&self.traces_sampler_arg, "1");
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.with_context(|| {
            format!("OTEL_TRACES_SAMPLER_ARG is {text:?}, but must be a number from 0 to 1")
        })
    }
}

/// The setting, or the default if it is empty.
fn or<'a>(setting: &'a str, default: &'a str) -> &'a str {
    if setting.is_empty() { default } else { setting }
}

/// Name and version of the service. The environment can set another name.
fn resource(service: &'static str) -> Resource {
    let key = Key::from_static_str("service.name");
    let name = Resource::builder().build().get(&key);
    let is_set = name.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if is_set { resource.build() } else { resource.with_service_name(service).build() }
}

/// A sampler that also records every trace that links to a recorded span.
#[derive(Clone, Debug)]
struct LinkSampler(Sampler);

impl ShouldSample for LinkSampler {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if links.iter().any(|link| link.span_context.is_sampled()) {
            return SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: TraceState::NONE,
            };
        }
        self.0.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// Sends spans, from the SDK's own thread.
#[derive(Debug)]
struct Exporter {
    inner: opentelemetry_otlp::SpanExporter,
    /// The HTTP client needs its timer and sockets.
    runtime: Handle,
    ending: CancellationToken,
    is_failing: AtomicBool,
}

impl SpanExporter for Exporter {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let sending = self.ending.run_until_cancelled(self.inner.export(batch));
        if let Some(outcome) = self.runtime.block_on(sending) {
            let was_failing = self.is_failing.swap(outcome.is_err(), Ordering::Relaxed);
            match outcome {
                Err(error) if !was_failing => {
                    warn!("cannot send traces to the collector: {error}; they are dropped");
                }
                Ok(()) if was_failing => info!("traces are sent to the collector again"),
                Ok(()) | Err(_) => {}
            }
        }
        // An error would make the SDK log every failure.
        std::future::ready(Ok(()))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut TraceSettings)) -> TraceSettings {
        let otlp_endpoint = "http://localhost:4318".to_owned();
        let mut settings = TraceSettings { otlp_endpoint, ..TraceSettings::default() };
        change(&mut settings);
        settings
    }

    fn sampler(name: &str, arg: &str) -> anyhow::Result<Sampler> {
        let settings = settings(|s| {
            s.traces_sampler = name.to_owned();
            s.traces_sampler_arg = arg.to_owned();
        });
        settings.sampler()
    }

    #[test]
    fn the_endpoint_follows_the_variables() {
        let endpoint = |settings: TraceSettings| settings.endpoint().unwrap();
        let base = Some("http://localhost:4318/v1/traces".to_owned());
        assert_eq!(endpoint(settings(|_| {})), base);
        assert_eq!(endpoint(settings(|s| s.otlp_endpoint.push('/'))), base);
        let whole = settings(|s| s.otlp_traces_endpoint = "http://other/traces".to_owned());
        assert_eq!(endpoint(whole).unwrap(), "http://other/traces");
        for off in [
            TraceSettings::default(),
            settings(|s| s.traces_exporter = "none".to_owned()),
            settings(|s| s.otel_sdk_disabled = "TRUE".to_owned()),
        ] {
            assert_eq!(endpoint(off), None);
        }
    }

    #[test]
    fn invalid_settings_are_refused() {
        for (settings, expected) in [
            (settings(|s| s.otlp_protocol = "grpc".to_owned()), "port 4318"),
            (settings(|s| s.otlp_traces_protocol = "http/json".to_owned()), "http/protobuf"),
            (settings(|s| s.otlp_endpoint = "https://c:4318".to_owned()), "http://"),
            (settings(|s| s.traces_exporter = "zipkin".to_owned()), "otlp or none"),
        ] {
            let error = settings.endpoint().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for (name, arg) in [("sometimes", ""), ("traceidratio", "2"), ("traceidratio", "half")] {
            assert!(sampler(name, arg).is_err(), "{name} {arg}");
        }
    }

    #[test]
    fn samplers_have_their_standard_names() {
        for (name, arg, expected) in [
            ("", "", "ParentBased(AlwaysOn)"),
            ("always_off", "", "AlwaysOff"),
            ("traceidratio", "0.25", "TraceIdRatioBased(0.25)"),
            ("parentbased_traceidratio", "0.01", "ParentBased(TraceIdRatioBased(0.01))"),
        ] {
            assert_eq!(format!("{:?}", sampler(name, arg).unwrap()), expected, "{name}");
        }
    }
}
