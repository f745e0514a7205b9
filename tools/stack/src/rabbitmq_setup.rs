//! The setup of a fresh broker, before clients use it.
//!
//! Clients declare the event queues without arguments, and these must be quorum queues. So the
//! default queue type of the virtual host must be `quorum`. RabbitMQ 4 reads it from its
//! configuration file, 3.10 only when a virtual host is created. Creating `/` again with the
//! right type works in all versions.

use crate::http;
use anyhow::{Context, Result, bail};
use fs_err as fs;
use minreq::Method;
use std::path::Path;

/// `guest:guest`, as HTTP basic authentication.
const AUTHORIZATION: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

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
    if !queues_are_quorum(management_port)? {
        replace_root(management_port)?;
        if !queues_are_quorum(management_port)? {
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
    manage(management_port, Method::Post, "/api/definitions", &complete)?;
    Ok(fs::write(loaded, definitions)?)
}

/// Whether a queue declared without arguments becomes a quorum queue. Declares one to find out.
fn queues_are_quorum(port: u16) -> Result<bool> {
    manage(port, Method::Put, TRIAL_QUEUE, r#"{"durable":true}"#)?;
    let queue = manage(port, Method::Get, TRIAL_QUEUE, "")?;
    manage(port, Method::Delete, TRIAL_QUEUE, "")?;
    Ok(queue.contains(r#""type":"quorum""#))
}

/// Deletes `/` and creates it with the right type, unless it has queues.
fn replace_root(port: u16) -> Result<()> {
    let queues = manage(port, Method::Get, "/api/queues/%2F?columns=name", "")?;
    let queues = queues.trim();
    if queues != "[]" {
        bail!(
            "the broker's virtual host already has queues, but not of type quorum by default: \
             {queues}. This tool has not created its data: delete the folder `broker` in the data \
             folder"
        );
    }
    manage(port, Method::Delete, ROOT, "")?;
    manage(port, Method::Put, ROOT, QUORUM_BY_DEFAULT)?;
    manage(port, Method::Put, "/api/permissions/%2F/guest", ALL_PERMISSIONS)?;
    Ok(())
}

/// Sends a request to the management interface and returns the body of the response.
pub fn manage(port: u16, method: Method, path: &str, body: &str) -> Result<String> {
    let request = http::request(method.clone(), port, path)
        .with_header("Authorization", AUTHORIZATION)
        .with_header("Content-Type", "application/json")
        .with_body(body);
    http::send(request)
        .with_context(|| format!("{method} {path} at the broker's management interface"))
}
