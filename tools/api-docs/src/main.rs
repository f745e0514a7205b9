//! Writes the services' OpenAPI documents, and what is generated from them: the API
//! reference and the Postman collection; and the diagram of order statuses. `cargo stack
//! prepare` runs it.

mod openapi;
mod order_statuses;
mod postman;
mod reference;
mod schema;

use anyhow::{Result, bail};
use clap::Parser;
use fs_err as fs;
use openapi::{Documents, Port};
use std::path::Path;

/// Writes the files that are generated from the services' code.
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
            fs::write(&path, content)?;
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
    let documents = documents()?;
    let collection = postman::collection(&root.join("tests/postman/collection"), &documents)?;
    let reference = reference::reference(&documents);
    let mut files: Vec<_> = documents.0.into_iter().map(|port| (port.file, port.text)).collect();
    files.push(("docs/api-reference.md", reference));
    let checkout = "docs/checkout.md";
    files.push((checkout, order_statuses::page(&root.join(checkout))?));
    files.push(("tests/postman/shop-analytics.postman_collection.json", collection));
    Ok(files)
}

fn documents() -> Result<Documents> {
    let command = ("command-service/openapi.json", 8080, "commandUrl");
    let query = ("query-service/openapi.json", 8081, "queryUrl");
    let command_operations =
        ("command-service/operations-openapi.json", 9080, "commandOperationsUrl");
    let query_operations = ("query-service/operations-openapi.json", 9081, "queryOperationsUrl");
    let consumer_operations =
        ("consumer-service/operations-openapi.json", 9082, "consumerOperationsUrl");
    Ok(Documents(vec![
        Port::new(command, true, &command_service::openapi())?,
        Port::new(query, true, &query_service::openapi())?,
        Port::new(command_operations, false, &command_service::operations_openapi())?,
        Port::new(query_operations, false, &query_service::operations_openapi())?,
        Port::new(consumer_operations, false, &consumer_service::operations_openapi())?,
    ]))
}
