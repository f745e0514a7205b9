//! Writes what is generated from the services' OpenAPI documents: the API reference and
//! the Postman collection. `cargo stack prepare` runs it.

mod openapi;
mod postman;
mod reference;
mod schema;

use anyhow::{Context, Result, bail};
use clap::Parser;
use openapi::{Documents, Port};
use std::fs;
use std::path::Path;

/// Writes the files that are generated from the services' OpenAPI documents.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Change nothing; fail if a file is out of date.
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut stale = Vec::new();
    for (file, content) in generated(&root)? {
        let path = root.join(file);
        if fs::read_to_string(&path).is_ok_and(|found| found == content) {
            continue;
        }
        if !arguments.check {
            fs::write(&path, content).with_context(|| format!("cannot write {file}"))?;
        }
        stale.push(file);
    }
    let files = stale.join(", ");
    if arguments.check && !stale.is_empty() {
        bail!("out of date: {files}. Run `cargo stack prepare` and commit them");
    }
    if !stale.is_empty() {
        eprintln!("written: {files}");
    }
    Ok(())
}

/// All generated files, by their path from the root of the repository.
fn generated(root: &Path) -> Result<Vec<(&'static str, String)>> {
    let documents = Documents(vec![
        port(root, "command-service/openapi.json", 8080, "commandUrl")?,
        port(root, "query-service/openapi.json", 8081, "queryUrl")?,
    ]);
    let collection = postman::collection(&root.join("tests/postman/collection"), &documents)?;
    Ok(vec![
        ("docs/api-reference.md", reference::reference(&documents)),
        ("tests/postman/shop-analytics.postman_collection.json", collection),
    ])
}

fn port(root: &Path, file: &'static str, number: u16, variable: &'static str) -> Result<Port> {
    let document = serde_json::from_str(&fs::read_to_string(root.join(file))?)?;
    Ok(Port { file, number, variable, is_api: true, document })
}
