//! The operator's command-line client.

use super::process::{Service, program};
use std::process::Command;

/// The result of a command.
#[derive(Debug)]
pub struct AdminOutput {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command, such as `keys list`, without an API key in the environment.
pub fn admin(arguments: &[&str]) -> AdminOutput {
    let output =
        Command::new(program("admin")).args(arguments).env_remove("SHOP_API_KEY").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    AdminOutput {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

impl Service {
    /// Runs a command, such as `dead-letters list`, on the operations port of the service.
    pub async fn admin(&self, command: &str) -> AdminOutput {
        let url = self.url("operations", "").await;
        let arguments: Vec<&str> = command.split(' ').chain(["--url", &url]).collect();
        admin(&arguments)
    }
}
