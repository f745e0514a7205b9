//! `openapi.json`, the OpenAPI document of an API in the folder of its package.
//!
//! A review of the file shows what a change does to the API, and tests read it without
//! a running service. A unit test of each service keeps it up to date.

use anyhow::{Context, bail};
use std::path::Path;
use std::{env, fs};
use utoipa::openapi::OpenApi;

/// Compares the `openapi.json` in a folder with a document. If they differ, writes the
/// file, unless the environment variable `CI` is set.
///
/// # Errors
/// If they differ, or the file cannot be written.
pub fn check_openapi_json(folder: &str, document: &OpenApi) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(document)? + "\n";
    check(&Path::new(folder).join("openapi.json"), &text, env::var_os("CI").is_none())
}

fn check(file: &Path, text: &str, may_write: bool) -> anyhow::Result<()> {
    let name = file.display();
    if fs::read_to_string(file).is_ok_and(|found| found == text) {
        return Ok(());
    }
    if !may_write {
        bail!("{name} is out of date: run `cargo test document` in its folder and commit it");
    }
    fs::write(file, text).with_context(|| format!("cannot write {name}"))?;
    bail!("{name} was out of date and has been rewritten: review and commit it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_outdated_file_fails_and_is_rewritten_if_allowed() {
        let file = env::temp_dir().join(format!("{}.json", Uuid::new_v4()));
        let told = |text, may_write| check(&file, text, may_write).err().map(|e| e.to_string());
        assert!(told("{}", false).is_some_and(|told| told.contains("is out of date")));
        assert!(!file.exists());
        assert!(told("{}", true).is_some_and(|told| told.contains("rewritten")));
        assert_eq!(told("{}", false), None);
        assert!(told("[]", false).is_some_and(|told| told.contains("is out of date")));
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}");
        fs::remove_file(&file).unwrap();
    }
}
