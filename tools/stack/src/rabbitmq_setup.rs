//! What a fresh broker needs before clients may use it.
//!
//! Clients declare the event queues without arguments, and these must be
//! quorum queues. So the virtual host's default queue type has to be `quorum`.
//! RabbitMQ 4 takes that from its configuration file, 3.10 only at the
//! creation of a virtual host; creating `/` anew with the right type works in
//! all versions.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::http::{Answer, Request};

/// `guest:guest`, as HTTP basic authentication.
pub const AUTHORIZATION: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// The password of the services' users, as in Docker Compose: the broker listens on
/// loopback only.
pub const SERVICE_PASSWORD: &str = "password";

/// What stands in the definitions for users and passwords.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("$ADMIN_USER", "guest"),
    ("$ADMIN_PASSWORD", "guest"),
    ("$COMMAND_SERVICE_PASSWORD", SERVICE_PASSWORD),
    ("$CONSUMER_SERVICE_PASSWORD", SERVICE_PASSWORD),
];

/// The default queue type under both of its names: RabbitMQ 3.10 reads the
/// first, 3.11 and later the second. Each ignores the other.
const QUORUM_BY_DEFAULT: &str = r#"{"defaultqueuetype":"quorum","default_queue_type":"quorum"}"#;
const ALL_PERMISSIONS: &str = r#"{"configure":".*","write":".*","read":".*"}"#;
const ROOT: &str = "/api/vhosts/%2F";
const TRIAL_QUEUE: &str = "/api/queues/%2F/cargo-stack-trial";

/// Makes `/` a virtual host of quorum queues, if it is not one.
pub fn make_queues_quorum(management_port: u16) -> Result<()> {
    let management = Management { port: management_port };
    if !management.queues_are_quorum()? {
        management.replace_root()?;
        if !management.queues_are_quorum()? {
            bail!("the broker makes queues of another type than quorum: is its version supported?");
        }
    }
    Ok(())
}

/// Loads the project's definitions (users, policies), unless these have been
/// loaded before: what an operator has changed since stays. `loaded` is the
/// file that remembers them.
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
    /// Whether a queue declared without arguments becomes a quorum queue:
    /// asked of the broker by declaring one.
    fn queues_are_quorum(self) -> Result<bool> {
        self.expect("PUT", TRIAL_QUEUE, r#"{"durable":true}"#)?;
        let queue = self.expect("GET", TRIAL_QUEUE, "")?;
        self.expect("DELETE", TRIAL_QUEUE, "")?;
        Ok(queue.body.contains(r#""type":"quorum""#))
    }

    /// Deletes `/` and creates it with the right type, unless it is in use.
    fn replace_root(self) -> Result<()> {
        let queues = self.expect("GET", "/api/queues/%2F?columns=name", "")?;
        if queues.body.trim() != "[]" {
            bail!(
                "the broker's virtual host has queues already, but not of type quorum by default: {}. \
                 Its data is not of this tool's making; delete the folder `broker` in the data folder",
                queues.body.trim()
            );
        }
        self.expect("DELETE", ROOT, "")?;
        self.expect("PUT", ROOT, QUORUM_BY_DEFAULT)?;
        self.expect("PUT", "/api/permissions/%2F/guest", ALL_PERMISSIONS)?;
        Ok(())
    }

    fn expect(self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let request =
            Request { method, port: self.port, path, authorization: Some(AUTHORIZATION), body };
        let answer = request.send()?;
        if !answer.is_success() {
            bail!("the broker refused {method} {path}: {} {}", answer.status, answer.body.trim());
        }
        Ok(answer)
    }
}
