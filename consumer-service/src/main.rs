//! The consumer service as a program.

fn main() -> anyhow::Result<()> {
    consumer_service::run()
}
