//! `cargo stack prepare`: writes the query data in the crates' folders `.sqlx`.
//!
//! sqlx checks the services' SQL at compile time against a description of each query in
//! `.sqlx`. The query macros write these descriptions if they are expanded with a
//! database. So one run of cargo compiles all crates whose queries or migrations have
//! changed, with fresh databases. Each crate writes into a new folder of its own, and
//! `.sqlx` changes only if the whole build succeeds. What is compiled are the crates'
//! unit tests in the usual target folder, because the next test run needs them.

use crate::cargo_build::cargo_build;
use crate::cli::PrepareArgs;
use crate::data_folder::remove_if_exists;
use crate::infrastructure::start_single_database;
use crate::instance::Instance;
use crate::postgres::Cluster;
use crate::project::Project;
use crate::query_crates::{DATABASES, QueryCrate, files};
use crate::terminal::{self, Step};
use crate::test_programs::Metadata;
use anyhow::{Context, Result, bail};
use fs_err as fs;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Writes the query data of the crates that need it, or checks it.
pub fn run(args: &PrepareArgs) -> Result<()> {
    let instance = Instance::open("prepare", "prepare")?;
    let Instance { project, folder, record, .. } = &instance;
    let due = due(args, project, folder)?;
    if due.is_empty() {
        terminal::print("No query and no migration has changed since the last run.");
        return Ok(());
    }
    let (cluster, server) = start_single_database(&instance)?;
    create_databases(&cluster, &project.root)?;
    let queries = describe(&due, project, folder, &cluster)?;
    let mut stale = Vec::new();
    for (query_crate, inputs) in &due {
        let described = queries.join(&query_crate.name);
        let changed = differences(&described, &query_crate.data())?;
        if args.check && !changed.is_empty() {
            stale.extend(changed);
            continue;
        }
        write(query_crate, &described, &changed)?;
        fs::write(fingerprint_file(query_crate, folder), fingerprint(query_crate, *inputs)?)?;
    }
    drop(server);
    record.clear();
    if !stale.is_empty() {
        let paths: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "the query data is out of date: run `cargo stack prepare` and commit `.sqlx`\n  {}",
            paths.join("\n  ")
        );
    }
    Ok(())
}

/// The crates to prepare. Each has the hash of its inputs from before the build, so that
/// an edit during the build counts as a change.
fn due(args: &PrepareArgs, project: &Project, folder: &Path) -> Result<Vec<(QueryCrate, u64)>> {
    let mut due = Vec::new();
    for query_crate in QueryCrate::all(&project.root)? {
        let inputs = query_crate.hash_of_inputs(&project.root)?;
        let seen = fs::read_to_string(fingerprint_file(&query_crate, folder)).unwrap_or_default();
        if args.all || fingerprint(&query_crate, inputs)? != seen {
            due.push((query_crate, inputs));
        }
    }
    Ok(due)
}

fn fingerprint(query_crate: &QueryCrate, inputs: u64) -> Result<String> {
    Ok(format!("{inputs:x} {:x}", query_crate.hash_of_data()?))
}

/// The file with the crate's fingerprint from the last time its query data was up to date.
fn fingerprint_file(query_crate: &QueryCrate, folder: &Path) -> PathBuf {
    folder.join(format!("{}.fingerprint", query_crate.name))
}

/// Creates both databases, empty, and applies the migrations: all `.sql` files of a database's
/// folder in the order of their names, each in its own transaction.
fn create_databases(cluster: &Cluster, root: &Path) -> Result<()> {
    let step = Step::begin("apply the migrations");
    let mut count = 0;
    for database in DATABASES {
        let (name, folder) = (database.name, root.join(database.migrations));
        cluster.query("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        cluster.query("postgres", &format!("CREATE DATABASE {name}"))?;
        let mut migrations = files(&folder)?;
        migrations.retain(|file| {
            let is_sql = file.extension().is_some_and(|extension| extension == "sql");
            is_sql && file.parent() == Some(&*folder)
        });
        if migrations.is_empty() {
            bail!("there are no migrations in {}", folder.display());
        }
        for file in &migrations {
            cluster.run_file(name, file)?;
        }
        count += migrations.len();
    }
    step.done(&format!("{count} migrations"));
    Ok(())
}

/// Starts rustc for cargo. It names the folder for the query data of the crate that is
/// compiled, if that crate is being prepared. sqlx reads the folder from `SQLX_OFFLINE_DIR`
/// and has no setting for it per crate.
const RUSTC_WRAPPER: &str = r#"#!/bin/sh
if [ -d "$QUERIES/$CARGO_PKG_NAME" ]; then export SQLX_OFFLINE_DIR="$QUERIES/$CARGO_PKG_NAME"; fi
exec "$@"
"#;

/// Compiles the crates with the databases. Returns the folder in which each crate's macros
/// have described its queries, in a folder with the crate's name.
fn describe(
    due: &[(QueryCrate, u64)],
    project: &Project,
    folder: &Path,
    cluster: &Cluster,
) -> Result<PathBuf> {
    let queries = folder.join("queries");
    remove_if_exists(&queries)?;
    for (query_crate, _) in due {
        fs::create_dir_all(queries.join(&query_crate.name))?;
        // cargo does not rebuild a crate when a database changes.
        touch_root(query_crate)?;
    }
    let wrapper = folder.join("rustc.sh");
    fs::write(&wrapper, RUSTC_WRAPPER)?;
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755))?;
    let names: Vec<String> = due.iter().map(|(query_crate, _)| query_crate.name.clone()).collect();
    let targets = Metadata::of(project)?
        .unit_test_targets(&names)?
        .with_context(|| format!("not all of {} have unit tests only", names.join(", ")))?;
    let mut cargo = project.cargo();
    cargo
        .args(["test", "--no-run"])
        .args(targets)
        .env("RUSTC_WRAPPER", wrapper)
        .env("QUERIES", &queries)
        .env("SQLX_OFFLINE", "false")
        .env_remove("SQLX_OFFLINE_DIR")
        .envs(DATABASES.map(|database| (database.variable, cluster.url_of(database.name))));
    let what = format!("{} with the databases", names.join(", "));
    cargo_build(&mut cargo, &what)?;
    Ok(queries)
}

fn touch_root(query_crate: &QueryCrate) -> Result<()> {
    for root in ["src/main.rs", "src/lib.rs"].map(|root| query_crate.folder.join(root)) {
        if let Ok(file) = fs::File::options().append(true).open(&root) {
            file.set_modified(SystemTime::now())?;
        }
    }
    Ok(())
}

/// Copies the files that differ from the described queries to the crate's query data.
fn write(query_crate: &QueryCrate, described: &Path, changed: &[PathBuf]) -> Result<()> {
    let data = query_crate.data();
    fs::create_dir_all(&data)?;
    for path in changed {
        let new = described.join(path.file_name().unwrap_or_default());
        if new.exists() { fs::copy(&new, path).map(drop) } else { fs::remove_file(path) }?;
    }
    terminal::print(&format!(
        "{}/.sqlx: {} queries, {} files changed",
        query_crate.name,
        entries(&data)?.len(),
        changed.len()
    ));
    Ok(())
}

/// The files of the old folder that differ from those of the new one, or exist in only one
/// of the two.
fn differences(new: &Path, old: &Path) -> Result<Vec<PathBuf>> {
    let names = &entries(new)? | &entries(old)?;
    let differ = |name: &OsString| fs::read(new.join(name)).ok() != fs::read(old.join(name)).ok();
    Ok(names.into_iter().filter(differ).map(|name| old.join(name)).collect())
}

/// The names of the query files in a folder; none if the folder does not exist.
fn entries(folder: &Path) -> Result<BTreeSet<OsString>> {
    let names = files(folder)?.into_iter().filter_map(|file| Some(file.file_name()?.to_owned()));
    let is_query = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("query-") && name.ends_with(".json")
    };
    Ok(names.filter(is_query).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_queries_are_removed_and_other_files_stay() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let new = folder.path().join("new");
        let query_crate = QueryCrate {
            name: "shop".to_owned(),
            folder: folder.path().join("shop"),
            database: DATABASES[0],
        };
        let data = query_crate.data();
        fs::create_dir_all(&new)?;
        fs::create_dir_all(&data)?;
        fs::write(new.join("query-1.json"), "1")?;
        fs::write(new.join("query-2.json"), "2")?;
        fs::write(data.join("query-2.json"), "2")?;
        fs::write(data.join("query-3.json"), "3")?;
        fs::write(data.join("README"), "")?;
        let changed = ["query-1.json", "query-3.json"].map(|name| data.join(name));
        assert_eq!(differences(&new, &data)?, changed);
        write(&query_crate, &new, &changed)?;
        assert_eq!(entries(&data)?, entries(&new)?);
        assert!(data.join("README").exists());
        assert!(differences(&new, &data)?.is_empty());
        Ok(())
    }
}
