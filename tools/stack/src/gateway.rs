//! The gateway: nginx with the configuration that Docker Compose uses.
//!
//! `deploy/gateway/nginx.conf` is written for a container: with fixed ports, and with services
//! that are found by name. A private copy replaces these by the addresses on this machine. The
//! rest of the configuration is the same.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::{
    data_folder,
    http::Request,
    infrastructure::Plan,
    ports::{Ports, Use},
    process::{Output, ProcessSpec},
    server_binaries::{NginxBinary, Version},
    supervisor::Supervised,
    system_user::SystemUser,
    terminal::Step,
};

const START_DEADLINE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct Gateway {
    port: u16,
    nginx: NginxBinary,
    folder: PathBuf,
    user: Option<SystemUser>,
}

/// Starts the gateway in the folder of the instance's data, and waits until it responds.
pub fn start(plan: &Plan<'_>, nginx: NginxBinary, folder: &Path) -> Result<Supervised> {
    let step = Step::begin("gateway");
    let gateway = Gateway {
        port: plan.ports.of(Use::Gateway),
        nginx,
        folder: folder.to_owned(),
        user: system_user()?,
    };
    gateway.configure(&plan.instance.project.root.join("deploy/gateway/nginx.conf"), plan.ports)?;
    let mut process = Supervised::start(gateway.process(), &plan.instance.record)?;
    gateway.wait_until_ready(|| process.ended().is_some())?;
    step.done(&format!("nginx {} on port {}", gateway.nginx.version, gateway.port));
    Ok(process)
}

/// Stops the gateway. Called before the services stop, so that their last responses arrive.
pub fn stop(process: &mut Supervised) {
    let step = Step::begin("stop the gateway");
    process.stop();
    step.done("");
}

/// The user of Debian's and Ubuntu's packages, or that of most other packages.
fn system_user() -> Result<Option<SystemUser>> {
    SystemUser::for_server("www-data").or_else(|_| SystemUser::for_server("nginx"))
}

impl Gateway {
    fn home(&self) -> PathBuf {
        self.folder.join("gateway")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    /// Writes the configuration and creates the log. nginx opens the log itself (`/dev/stdout`)
    /// and so has to own it.
    fn configure(&self, compose_configuration: &Path, ports: &Ports) -> Result<()> {
        let home = self.home();
        data_folder::create_for(&home, self.user)?;
        let text = fs::read_to_string(compose_configuration)
            .with_context(|| format!("cannot read {}", compose_configuration.display()))?;
        let text = for_this_machine(&text, ports)
            .with_context(|| format!("cannot use {}", compose_configuration.display()))?;
        let path = home.join("nginx.conf");
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let log = self.log();
        File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        self.user.map_or(Ok(()), |user| user.own(&log))
    }

    fn process(&self) -> ProcessSpec {
        let mut arguments: Vec<OsString> =
            ["-c", "nginx.conf", "-g", "daemon off;", "-p"].map(OsString::from).to_vec();
        arguments.push(self.home().into());
        // Messages before the configuration is read; otherwise they go to a file of the
        // system's nginx. The option exists since 1.19.5.
        if self.nginx.version >= Version(1, 20) {
            arguments.extend(["-e".into(), "stderr".into()]);
        }
        ProcessSpec {
            name: "gateway".to_owned(),
            program: self.nginx.program.clone(),
            arguments,
            environment: Vec::new(),
            directory: self.home(),
            user: self.user,
            output: Output::File(self.log()),
            // A graceful shutdown: requests in progress are completed, within the configured
            // worker_shutdown_timeout.
            stop_signal: Signal::SIGQUIT,
            grace: Duration::from_secs(10),
        }
    }

    fn wait_until_ready(&self, died: impl FnMut() -> bool) -> Result<()> {
        let check = Request::get(self.port, "/gateway/health");
        if !check.succeeds_within(START_DEADLINE, died)? {
            bail!("the gateway does not start; its log: {}", self.log().display());
        }
        Ok(())
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
        let here = for_this_machine(COMPOSE, &Ports::of_stack_and_gateway(500)?)?;
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
        let ports = Ports::of_stack_and_gateway(0)?;
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
