//! The crates whose queries are checked when they are compiled.

use anyhow::{Context, Result, bail};
use fs_err as fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

pub const DATABASES: [Database; 2] = [
    Database { variable: "DATABASE_URL", name: "write_db", migrations: "db/write" },
    Database { variable: "READ_DATABASE_URL", name: "read_db", migrations: "db/read" },
];

/// A database that queries are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// The environment variable with its URL, in `sqlx.toml` and for the services.
    pub variable: &'static str,
    pub name: &'static str,
    /// The folder of its migrations in the project.
    pub migrations: &'static str,
}

/// A crate with queries: one that has a `sqlx.toml`, which says for which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryCrate {
    /// Its name, which is that of its folder.
    pub name: String,
    pub folder: PathBuf,
    pub database: Database,
}

impl QueryCrate {
    /// All such crates of the project.
    pub fn all(root: &Path) -> Result<Vec<Self>> {
        let mut crates = Vec::new();
        for entry in fs::read_dir(root)? {
            let folder = entry?.path();
            let Ok(settings) = fs::read_to_string(folder.join("sqlx.toml")) else { continue };
            let names = |database: &&Database| {
                settings.contains(&format!("database-url-var = \"{}\"", database.variable))
            };
            let database = *DATABASES.iter().find(names).with_context(|| {
                format!("{} names no known database-url-var", folder.join("sqlx.toml").display())
            })?;
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            crates.push(Self { name, folder, database });
        }
        if crates.is_empty() {
            bail!("no crate in {} has a sqlx.toml", root.display());
        }
        crates.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(crates)
    }

    /// The folder of its query data, where sqlx reads it.
    pub fn data(&self) -> PathBuf {
        self.folder.join(".sqlx")
    }

    /// A hash of everything that its query data depends on.
    pub fn hash_of_inputs(&self, root: &Path) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        sqlx_version(root)?.hash(&mut hasher);
        fs::read(self.folder.join("sqlx.toml"))?.hash(&mut hasher);
        hash_files(&self.folder.join("src"), &mut hasher)?;
        hash_files(&root.join(self.database.migrations), &mut hasher)?;
        Ok(hasher.finish())
    }

    pub fn hash_of_data(&self) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        hash_files(&self.data(), &mut hasher)?;
        Ok(hasher.finish())
    }
}

/// Hashes the files in a folder with their paths, but no Rust files without queries.
fn hash_files(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    for path in files(folder)? {
        let bytes = fs::read(&path)?;
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        if !is_rust || has_queries(&String::from_utf8_lossy(&bytes)) {
            path.strip_prefix(folder)?.hash(hasher);
            bytes.hash(hasher);
        }
    }
    Ok(())
}

/// The version of sqlx in the lock file: another version may describe queries differently.
fn sqlx_version(root: &Path) -> Result<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock"))?;
    let (_, rest) = lock.split_once("name = \"sqlx\"\n").context("sqlx is not in Cargo.lock")?;
    Ok(rest.lines().next().unwrap_or_default().to_owned())
}

/// All files in a folder and below, sorted by path; none if the folder does not exist.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop().filter(|folder| folder.exists()) {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a Rust file calls a query macro, such as `query_as!(…)`.
fn has_queries(source: &str) -> bool {
    source.match_indices("!(").any(|(at, _)| {
        let name = source[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        name.is_some_and(|name| name.starts_with("query"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_query_macros_are_found() {
        assert!(has_queries("let a = sqlx::query_scalar!(\"SELECT 1\");"));
        assert!(has_queries("query!("));
        assert!(!has_queries("query(a); assert!(b); // query"));
    }

    #[test]
    fn the_hashes_change_with_the_queries_and_everything_they_depend_on() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let write = |path: &str, text: &str| -> Result<()> {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(root))?;
            Ok(fs::write(path, text)?)
        };
        write("Cargo.lock", "[[package]]\nname = \"sqlx\"\nversion = \"1\"\n")?;
        write("shop/sqlx.toml", "database-url-var = \"READ_DATABASE_URL\"\n")?;
        write("shop/src/a.rs", "query!(\"SELECT 1\"); f()")?;
        let crates = QueryCrate::all(root)?;
        let [shop] = crates.as_slice() else { bail!("{crates:?}") };
        assert_eq!((&*shop.name, shop.database.name), ("shop", "read_db"));

        let hashes = || -> Result<_> { Ok((shop.hash_of_inputs(root)?, shop.hash_of_data()?)) };
        let before = hashes()?;
        let mut seen = vec![before];
        write("shop/src/rules.rs", "fn f() {}")?;
        write("db/write/1.sql", "SELECT 1")?;
        assert_eq!(hashes()?, before);
        for (path, text) in [
            ("shop/src/a.rs", "query!(\"SELECT 2\"); g()"),
            ("shop/src/b/c.sql", "SELECT 3"),
            ("db/read/1.sql", "SELECT 4"),
            ("shop/.sqlx/query-1.json", "{}"),
            ("shop/sqlx.toml", "database-url-var = \"READ_DATABASE_URL\"\n\n"),
            ("Cargo.lock", "[[package]]\nname = \"sqlx\"\nversion = \"2\"\n"),
        ] {
            write(path, text)?;
            let now = hashes()?;
            assert!(!seen.contains(&now), "{path}");
            seen.push(now);
        }
        Ok(())
    }
}
