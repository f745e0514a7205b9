//! The gateway: nginx with the configuration that Docker Compose uses.
//!
//! `deploy/gateway/nginx.conf` is written for a container: with fixed ports, and with services
//! that are found by name. A private copy replaces these by the addresses on this machine. The
//! rest of the configuration is the same.

use crate::infrastructure::Plan;
use crate::ports::{Ports, Use};
use crate::process::{Output, ProcessSpec};
use crate::server_binaries::{NginxBinary, Version};
use crate::supervisor::Supervised;
use crate::system_user::SystemUser;
use crate::terminal::Step;
use crate::{data_folder, http};
use anyhow::{Context, Result, bail};
use fs_err::{self as fs, File};
use minreq::Method;
use nix::sys::signal::Signal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

const START_DEADLINE: Duration = Duration::from_secs(20);

/// Starts the gateway in the folder of the instance's data, and waits until it responds.
pub fn start(plan: &Plan<'_>, nginx: &NginxBinary, folder: &Path) -> Result<Supervised> {
    let step = Step::begin("gateway");
    let port = plan.ports.of(Use::Gateway);
    // The user of Debian's and Ubuntu's packages, or that of most other packages.
    let user = SystemUser::for_server("www-data").or_else(|_| SystemUser::for_server("nginx"))?;
    let (home, log) = (folder.join("gateway"), folder.join("gateway.log"));
    data_folder::create_for(&home, user)?;
    let for_compose = plan.instance.project.root.join("deploy/gateway/nginx.conf");
    let here = for_this_machine(&fs::read_to_string(&for_compose)?, plan.ports)
        .with_context(|| format!("cannot use {}", for_compose.display()))?;
    fs::write(home.join("nginx.conf"), here)?;
    // nginx opens the log itself (`/dev/stdout`) and so has to own it.
    File::options().create(true).append(true).open(&log)?;
    user.own(&log)?;

    let mut process = Supervised::start(process(nginx, home, user, log), &plan.instance.record)?;
    process.wait_until_ready(START_DEADLINE, || {
        http::send(http::request(Method::Get, port, "/gateway/health"))
    })?;
    step.done(&format!("nginx {} on port {port}", nginx.version));
    Ok(process)
}

fn process(nginx: &NginxBinary, home: PathBuf, user: SystemUser, log: PathBuf) -> ProcessSpec {
    let mut arguments =
        ["-c", "nginx.conf", "-g", "daemon off;", "-p"].map(OsString::from).to_vec();
    arguments.push(home.clone().into());
    // Messages before the configuration is read; otherwise they go to a file of the system's
    // nginx. The option exists since 1.19.5.
    if nginx.version >= Version(1, 20) {
        arguments.extend(["-e".into(), "stderr".into()]);
    }
    ProcessSpec {
        name: "gateway".to_owned(),
        program: nginx.program.clone(),
        arguments,
        environment: Vec::new(),
        directory: home,
        user,
        output: Output::File(log),
        // A graceful shutdown: requests in progress are completed, within the configured
        // worker_shutdown_timeout.
        stop_signal: Signal::SIGQUIT,
        grace: Duration::from_secs(10),
    }
}

/// The configuration for this machine, made from that for the container. It is an error if a
/// text to be replaced is missing, because what is there instead would stay unnoticed.
///
/// Docker's name server stays in the configuration. It is not used, because no names are left.
fn for_this_machine(compose: &str, ports: &Ports) -> Result<String> {
    let at = |use_: Use| format!("127.0.0.1:{}", ports.of(use_));
    let replacements = [
        // A relative path is in the gateway's folder.
        (" /tmp/", " ".to_owned()),
        (" command-service:8080;", format!(" {};", at(Use::CommandApi))),
        (" query-service:8081;", format!(" {};", at(Use::QueryApi))),
        (" listen 8088 ", format!(" listen {} ", at(Use::Gateway))),
    ];
    let mut text = compose.to_owned();
    for (container, here) in replacements {
        if !text.contains(container) {
            bail!(
                "it does not contain `{}`, which is to be replaced: adapt tools/stack/src/gateway.rs",
                container.trim()
            );
        }
        text = text.replace(container, &here);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = include_str!("../../../deploy/gateway/nginx.conf");

    #[test]
    fn the_configuration_is_adapted_to_this_machine() -> Result<()> {
        let here = for_this_machine(COMPOSE, &Ports::with_offset(Ports::STACK_AND_GATEWAY, 500)?)?;
        let directives: Vec<&str> =
            here.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        for expected in [
            "pid nginx.pid;",
            "GET     127.0.0.1:8581;",
            "HEAD    127.0.0.1:8581;",
            "default 127.0.0.1:8580;",
            "set $commands 127.0.0.1:8580;",
            "listen 127.0.0.1:8588 backlog=4096;",
            "client_body_temp_path client_body;",
        ] {
            assert!(directives.contains(&expected), "{expected} is not in\n{here}");
        }
        for container in ["-service:", "/tmp/", "listen 8088"] {
            assert!(!directives.iter().any(|line| line.contains(container)), "{container}");
        }
        Ok(())
    }

    #[test]
    fn a_changed_configuration_is_refused() -> Result<()> {
        let ports = Ports::with_offset(Ports::STACK_AND_GATEWAY, 0)?;
        for (there, instead) in
            [("query-service:8081;", "query:8081;"), ("listen 8088 ", "listen 80 ")]
        {
            let changed = COMPOSE.replace(there, instead);
            let refusal = for_this_machine(&changed, &ports).err().map(|error| error.to_string());
            assert!(refusal.is_some_and(|text| text.contains(there.trim())), "{there}");
        }
        Ok(())
    }
}
