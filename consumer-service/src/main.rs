//! The consumer service as a program.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    consumer_service::run(service_runtime::config::read()).await
}
