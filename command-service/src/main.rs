//! The executable of the command service.

use command_service::Config;
use tokio::runtime::Builder;

fn main() -> anyhow::Result<()> {
    let config: Config = service_runtime::config::read();
    let mut runtime = Builder::new_multi_thread();
    runtime
        .worker_threads(config.threads)
        .enable_all()
        .build()?
        .block_on(command_service::run(config))
}
