//! The query service as a program.

fn main() -> anyhow::Result<()> {
    query_service::run()
}
