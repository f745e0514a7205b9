//! The command service as a program.

fn main() -> anyhow::Result<()> {
    command_service::run()
}
