//! `cargo stack prepare`: the query data in `.sqlx`.
//!
//! The services' SQL is checked when they are compiled, against descriptions of
//! every query that are kept in `.sqlx`. They are written by the query macros
//! themselves, when these are expanded with a database at hand. So all crates
//! are checked once more here, with fresh databases, into a folder of its own;
//! `.sqlx` changes only when all of it has succeeded.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};

use crate::{
    data_folder,
    debian_packages::ensure_postgres,
    instance_lock::InstanceLock,
    leftovers::Record,
    migrations,
    ports::{Ports, Use},
    postgres::Cluster,
    project::Project,
    supervisor::Supervised,
    system_user::SystemUser,
    terminal::{self, Step},
    test_run,
};

/// Writes `.sqlx` anew.
pub fn run() -> Result<ExitCode> {
    let project = Project::locate()?;
    let folder = project.private_folder().join("prepare");
    let _lock = InstanceLock::acquire(&folder, "prepare")?;
    let record = Record::of(&folder);
    record.stop_leftovers()?;

    let cluster = lay_out(&project, &folder)?;
    let step = Step::begin("databases with the migrations applied");
    cluster.create()?;
    cluster.forget_dead_server();
    let mut server = Supervised::start(cluster.process(), &record)?;
    cluster.wait_until_ready(|| server.ended().is_some())?;
    let count = create_databases(&cluster, &project.root)?;
    step.done(&format!("{count} migrations"));

    let queries = folder.join("queries");
    let status = check_all_crates(&project, &cluster, &folder, &queries);
    server.stop();
    record.clear();
    if !status? {
        bail!(
            "the crates do not compile against the migrated databases (see above); .sqlx was not changed"
        );
    }
    let changed = replace(&queries, &project.root.join(".sqlx"))?;
    if changed > 0 {
        // cargo does not know that the macros read these files.
        touch_crates_with_queries(&project.root)?;
    }
    terminal::print(&format!(
        ".sqlx: {} queries, {changed} files changed",
        entries(&queries)?.len()
    ));
    Ok(ExitCode::SUCCESS)
}

/// One cluster is enough for both databases.
fn lay_out(project: &Project, folder: &Path) -> Result<Cluster> {
    let binaries = ensure_postgres(&project.private_folder())?;
    let user = SystemUser::for_server("postgres")?;
    Ok(Cluster {
        name: "db",
        database: "write_db",
        roles: &[],
        port: Ports::free_for_infrastructure()?.of(Use::WriteDatabase),
        max_connections: 100,
        folder: data_folder::prepare(folder, &[user])?,
        binaries,
        user,
    })
}

fn create_databases(cluster: &Cluster, root: &Path) -> Result<usize> {
    let mut count = 0;
    for (database, migrations) in [("write_db", "db/write"), ("read_db", "db/read")] {
        cluster.query("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        cluster.query("postgres", &format!("CREATE DATABASE {database}"))?;
        count += migrations::apply(cluster, database, &root.join(migrations))?;
    }
    Ok(count)
}

/// Checks every crate with the macros writing to `queries`; says whether all
/// compiled.
fn check_all_crates(
    project: &Project,
    cluster: &Cluster,
    folder: &Path,
    queries: &Path,
) -> Result<bool> {
    if queries.exists() {
        fs::remove_dir_all(queries)?;
    }
    fs::create_dir_all(queries)?;
    // A target folder of its own: in the usual one, crates would count as
    // checked and their macros would not be expanded; and its next build would
    // find everything changed.
    let target = folder.join("target");
    let members = crates_with_queries(&project.root)?;
    if members.is_empty() {
        bail!("no crate of the workspace depends on sqlx");
    }
    let mut clean = project.cargo();
    clean.env("CARGO_TARGET_DIR", &target).args(["clean", "--quiet"]);
    for member in &members {
        clean.arg("--package").arg(package_name(member)?);
    }
    run_quietly(&mut clean)?;

    terminal::note("  … cargo check (the first time, all dependencies are checked as well)");
    let mut check = project.cargo();
    check
        .args(["check", "--workspace", "--exclude", "stack", "--all-targets"])
        .env("CARGO_TARGET_DIR", &target)
        .env("SQLX_OFFLINE", "false")
        .env("SQLX_OFFLINE_DIR", queries)
        .env("DATABASE_URL", cluster.url())
        .env("READ_DATABASE_URL", cluster.url().replace("write_db", "read_db"));
    Ok(test_run::run_to_end(&mut check)?.success())
}

fn run_quietly(command: &mut Command) -> Result<()> {
    let output = command.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// The folders of the crates that depend on sqlx.
fn crates_with_queries(root: &Path) -> Result<Vec<PathBuf>> {
    let folders = fs::read_dir(root)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    Ok(folders
        .into_iter()
        .filter(|folder| {
            fs::read_to_string(folder.join("Cargo.toml"))
                .is_ok_and(|manifest| manifest.lines().any(|line| line.starts_with("sqlx")))
        })
        .collect())
}

/// The name in the folder's manifest.
fn package_name(folder: &Path) -> Result<String> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
    manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = ")?.trim().split('"').nth(1))
        .map(str::to_owned)
        .with_context(|| format!("{} has no package name", folder.join("Cargo.toml").display()))
}

fn touch_crates_with_queries(root: &Path) -> Result<()> {
    for folder in crates_with_queries(root)? {
        for source in ["src/main.rs", "src/lib.rs"].map(|name| folder.join(name)) {
            if let Ok(file) = fs::File::options().append(true).open(&source) {
                file.set_modified(SystemTime::now())?;
            }
        }
    }
    Ok(())
}

/// Makes the second folder like the first and says how many files differed.
fn replace(new: &Path, old: &Path) -> Result<usize> {
    fs::create_dir_all(old)?;
    let (new_names, old_names) = (entries(new)?, entries(old)?);
    let mut changed = 0;
    for stale in old_names.difference(&new_names) {
        fs::remove_file(old.join(stale))?;
        changed += 1;
    }
    for name in &new_names {
        let text = fs::read(new.join(name))?;
        if fs::read(old.join(name)).ok().as_ref() != Some(&text) {
            fs::write(old.join(name), text)?;
            changed += 1;
        }
    }
    Ok(changed)
}

/// The names of a folder's query files.
fn entries(folder: &Path) -> Result<BTreeSet<OsString>> {
    let names = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<BTreeSet<_>>>()?;
    Ok(names
        .into_iter()
        .filter(|name| {
            let name = name.to_string_lossy();
            name.starts_with("query-") && name.ends_with(".json")
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_queries_go_and_other_files_stay() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("stack-prepare-{}", std::process::id()));
        let (new, old) = (folder.join("new"), folder.join("old"));
        fs::create_dir_all(&new)?;
        fs::create_dir_all(&old)?;
        fs::write(new.join("query-1.json"), "1")?;
        fs::write(new.join("query-2.json"), "2")?;
        fs::write(old.join("query-2.json"), "2")?;
        fs::write(old.join("query-3.json"), "3")?;
        fs::write(old.join("README"), "")?;
        assert_eq!(replace(&new, &old)?, 2);
        assert_eq!(entries(&old)?, entries(&new)?);
        assert!(old.join("README").exists());
        assert_eq!(replace(&new, &old)?, 0);
        fs::remove_dir_all(&folder)?;
        Ok(())
    }
}
