//! The setup of a fresh broker, before clients use it.
//!
//! Clients declare the event queues without arguments, and these must be quorum queues. So the
//! default queue type of the virtual host must be `quorum`. RabbitMQ 4 reads it from its
//! configuration file, 3.10 only when a virtual host is created. Creating `/` again with the
//! right type works in all versions.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::http::{Request, Response};

/// `guest:guest`, as HTTP basic authentication.
pub const AUTHORIZATION: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// The password of the services' users, as in Docker Compose: the broker listens on
/// loopback only.
pub const SERVICE_PASSWORD: &str = "password";

/// Placeholders in the definitions, with the users and passwords that replace them.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("$ADMIN_USER", "guest"),
    ("$ADMIN_PASSWORD", "guest"),
    ("$COMMAND_SERVICE_PASSWORD", SERVICE_PASSWORD),
    ("$CONSUMER_SERVICE_PASSWORD", SERVICE_PASSWORD),
];

/// The default queue type under both of its names. RabbitMQ 3.10 reads the first, later versions
/// the second; each ignores the other.
const QUORUM_BY_DEFAULT: &str = r#"{"defaultqueuetype":"quorum","default_queue_type":"quorum"}"#;
const ALL_PERMISSIONS: &str = r#"{"configure":".*","write":".*","read":".*"}"#;
const ROOT: &str = "/api/vhosts/%2F";
const TRIAL_QUEUE: &str = "/api/queues/%2F/cargo-stack-trial";

/// Makes `quorum` the default queue type of `/`, if it is not.
pub fn make_queues_quorum(management_port: u16) -> Result<()> {
    let management = Management { port: management_port };
    if !management.queues_are_quorum()? {
        management.replace_root()?;
        if !management.queues_are_quorum()? {
            bail!("the broker does not create quorum queues by default: is its version supported?");
        }
    }
    Ok(())
}

/// Loads the project's definitions (users, policies), unless the file `loaded` shows that they
/// have been loaded before: later changes by an operator stay.
pub fn load_definitions(management_port: u16, definitions: &str, loaded: &Path) -> Result<()> {
    if fs::read_to_string(loaded).is_ok_and(|before| before == definitions) {
        return Ok(());
    }
    let complete = PLACEHOLDERS
        .iter()
        .fold(definitions.to_owned(), |text, (name, value)| text.replace(name, value));
    Management { port: management_port }.expect("POST", "/api/definitions", &complete)?;
    fs::write(loaded, definitions).with_context(|| format!("cannot write {}", loaded.display()))
}

#[derive(Debug, Clone, Copy)]
struct Management {
    port: u16,
}

impl Management {
    /// Whether a queue declared without arguments becomes a quorum queue. Declares one to find
    /// out.
    fn queues_are_quorum(self) -> Result<bool> {
        self.expect("PUT", TRIAL_QUEUE, r#"{"durable":true}"#)?;
        let queue = self.expect("GET", TRIAL_QUEUE, "")?;
        self.expect("DELETE", TRIAL_QUEUE, "")?;
        Ok(queue.body.contains(r#""type":"quorum""#))
    }

    /// Deletes `/` and creates it with the right type, unless it has queues.
    fn replace_root(self) -> Result<()> {
        let queues = self.expect("GET", "/api/queues/%2F?columns=name", "")?;
        if queues.body.trim() != "[]" {
            bail!(
                "the broker's virtual host already has queues, but not of type quorum by default: {}. \
                 This tool has not created its data: delete the folder `broker` in the data folder",
                queues.body.trim()
            );
        }
        self.expect("DELETE", ROOT, "")?;
        self.expect("PUT", ROOT, QUORUM_BY_DEFAULT)?;
        self.expect("PUT", "/api/permissions/%2F/guest", ALL_PERMISSIONS)?;
        Ok(())
    }

    fn expect(self, method: &str, path: &str, body: &str) -> Result<Response> {
        let request =
            Request { method, port: self.port, path, authorization: Some(AUTHORIZATION), body };
        let response = request.send()?;
        if !response.is_success() {
            bail!(
                "the broker refused {method} {path}: {} {}",
                response.status,
                response.body.trim()
            );
        }
        Ok(response)
    }
}
