//! The second part of `cargo stack prepare`: the files that the crate `api-docs` generates
//! from the services' OpenAPI documents.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    cargo_build::cargo_build,
    foreground::{exit_code, run_to_end},
    project::Project,
};

/// Writes the files, or checks them.
pub fn run(check: bool) -> Result<ExitCode> {
    let project = Project::locate()?;
    let mut cargo = project.cargo();
    // In the dev profile, like the tests.
    cargo.args(["build", "--bin", "api-docs"]);
    let programs = cargo_build(&mut cargo, "the API documentation")?;
    let mut command = Command::new(programs.path("api-docs")?);
    if check {
        command.arg("--check");
    }
    Ok(exit_code(run_to_end(&mut command)?))
}
