//! The query service as a program.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    query_service::run(service_runtime::config::read()).await
}
