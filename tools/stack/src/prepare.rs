//! `cargo stack prepare`: the query data in the crates' folders `.sqlx`.
//!
//! The services' SQL is checked when they are compiled, against descriptions of
//! every query that are kept in `.sqlx`. The query macros write these themselves if
//! they are expanded with a database at hand. So each crate whose queries or
//! migrations have changed is compiled here once with fresh databases, and writes into
//! another folder; its `.sqlx` changes only if that has succeeded. What is compiled is
//! the crate's unit tests, in the usual target folder: the next test run needs them
//! anyway.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::atomic::AtomicBool,
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::{
    cargo_build::cargo_build,
    cli::PrepareArgs,
    instance_lock::InstanceLock,
    leftovers::Record,
    migrations,
    project::Project,
    query_crates::{DATABASES, QueryCrate},
    single_database::SingleDatabase,
    terminal::{self, Step},
    test_programs,
};

/// Writes the query data of the crates that need it, or checks it.
pub fn run(args: &PrepareArgs) -> Result<ExitCode> {
    let project = Project::locate()?;
    let folder = project.private_folder().join("prepare");
    let _lock = InstanceLock::acquire(&folder, "prepare")?;
    let record = Record::of(&folder);
    record.stop_leftovers()?;

    let due = due(args, &project, &folder)?;
    if due.is_empty() {
        terminal::print("No query and no migration has changed since the last time.");
        return Ok(ExitCode::SUCCESS);
    }
    let mut database = SingleDatabase::start(&project, &folder, &record)?;
    create_databases(&database, &project.root)?;
    let mut stale = Vec::new();
    for (query_crate, inputs) in &due {
        let described = describe(query_crate, &project, &folder, &database)?;
        let changed = differences(&described, &query_crate.data())?;
        if args.check && !changed.is_empty() {
            stale.extend(changed);
            continue;
        }
        write(query_crate, &described, &changed)?;
        fs::write(fingerprint_file(query_crate, &folder), fingerprint(query_crate, *inputs)?)?;
    }
    database.stop();
    record.clear();
    if !stale.is_empty() {
        let paths: Vec<_> = stale.iter().map(|path| path.display().to_string()).collect();
        bail!(
            "the query data is out of date: run `cargo stack prepare` and commit `.sqlx`\n  {}",
            paths.join("\n  ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The crates to prepare, each with the hash of its inputs from before it is compiled: an
/// edit in the meantime counts as a change.
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

/// The file with the crate's fingerprint from when its query data was last up to date.
fn fingerprint_file(query_crate: &QueryCrate, folder: &Path) -> PathBuf {
    folder.join(format!("{}.fingerprint", query_crate.name))
}

/// One server is enough for both databases.
fn create_databases(server: &SingleDatabase, root: &Path) -> Result<()> {
    let step = Step::begin("apply the migrations");
    let cluster = &server.cluster;
    let mut count = 0;
    for database in DATABASES {
        let name = database.name;
        cluster.query("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        cluster.query("postgres", &format!("CREATE DATABASE {name}"))?;
        count += migrations::apply(cluster, name, &root.join(database.migrations))?;
    }
    step.done(&format!("{count} migrations"));
    Ok(())
}

/// Compiles the crate with the databases at hand and returns the folder into which its
/// macros have described its queries.
fn describe(
    query_crate: &QueryCrate,
    project: &Project,
    folder: &Path,
    server: &SingleDatabase,
) -> Result<PathBuf> {
    let described = folder.join(format!("{}.queries", query_crate.name));
    if described.exists() {
        fs::remove_dir_all(&described)?;
    }
    fs::create_dir_all(&described)?;
    // cargo does not know that the macros depend on databases.
    touch_root(query_crate)?;
    let name = &query_crate.name;
    let targets = test_programs::unit_test_targets(project, std::slice::from_ref(name))?
        .with_context(|| format!("{name} has no unit tests"))?;
    let mut cargo = project.cargo();
    cargo
        .args(["test", "--no-run"])
        .args(targets)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", &described)
        .envs(DATABASES.map(|database| (database.variable, server.cluster.url_of(database.name))));
    cargo_build(&mut cargo, &format!("{name} with the databases"), &AtomicBool::new(false))?;
    Ok(described)
}

fn touch_root(query_crate: &QueryCrate) -> Result<()> {
    for root in ["src/main.rs", "src/lib.rs"].map(|root| query_crate.folder.join(root)) {
        if let Ok(file) = fs::File::options().append(true).open(&root) {
            file.set_modified(SystemTime::now())?;
        }
    }
    Ok(())
}

/// Makes the crate's query data what its macros have described: these files differ.
fn write(query_crate: &QueryCrate, described: &Path, changed: &[PathBuf]) -> Result<()> {
    let data = query_crate.data();
    fs::create_dir_all(&data)?;
    for path in changed {
        let new = described.join(path.file_name().unwrap_or_default());
        if new.exists() { fs::copy(&new, path).map(drop) } else { fs::remove_file(path) }
            .with_context(|| format!("cannot change {}", path.display()))?;
    }
    terminal::print(&format!(
        "{}/.sqlx: {} queries, {} files changed",
        query_crate.name,
        entries(&data)?.len(),
        changed.len()
    ));
    Ok(())
}

/// The files of the second folder that differ from those of the first, or that only one
/// of them has.
fn differences(new: &Path, old: &Path) -> Result<Vec<PathBuf>> {
    let names = &entries(new)? | &entries(old)?;
    let differ = |name: &OsString| fs::read(new.join(name)).ok() != fs::read(old.join(name)).ok();
    Ok(names.into_iter().filter(differ).map(|name| old.join(name)).collect())
}

/// The names of the query files in a folder; none if it is not there.
fn entries(folder: &Path) -> Result<BTreeSet<OsString>> {
    if !folder.exists() {
        return Ok(BTreeSet::new());
    }
    let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<Result<BTreeSet<_>>>()?;
    let is_query = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("query-") && name.ends_with(".json")
    };
    Ok(names.into_iter().filter(is_query).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_queries_go_and_other_files_stay() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("stack-prepare-{}", std::process::id()));
        let new = folder.join("new");
        let query_crate = QueryCrate {
            name: "shop".to_owned(),
            folder: folder.join("shop"),
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
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
