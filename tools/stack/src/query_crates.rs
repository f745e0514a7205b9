//! The crates whose queries are checked when they are compiled.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// The databases: the variable with the URL, the name, the folder of the migrations.
pub const DATABASES: [Database; 2] = [
    Database { variable: "DATABASE_URL", name: "write_db", migrations: "db/write" },
    Database { variable: "READ_DATABASE_URL", name: "read_db", migrations: "db/read" },
];

/// A database that queries are checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Database {
    /// The variable that names its URL, in `sqlx.toml` and for the services.
    pub variable: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The folder of its migrations in the project.
    pub migrations: &'static str,
}

/// A crate with queries: one that has a `sqlx.toml`, which says for which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryCrate {
    /// Its name, which is that of its folder.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The database.
    pub database: Database,
}

impl QueryCrate {
    /// All of the project.
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

    /// The folder of its query data. sqlx finds it there.
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

    /// A hash of its query data.
    pub fn hash_of_data(&self) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        hash_files(&self.data(), &mut hasher)?;
        Ok(hasher.finish())
    }
}

/// Hashes the files in a folder with their paths. Of Rust files only the queries count.
fn hash_files(folder: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    for path in files(folder)? {
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let inputs = if is_rust { queries(&text) } else { vec![&*text] };
        if !inputs.is_empty() {
            path.strip_prefix(folder).unwrap_or(&path).hash(hasher);
            inputs.hash(hasher);
        }
    }
    Ok(())
}

/// The version in the lock file: another one may describe queries in another way.
fn sqlx_version(root: &Path) -> Result<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let (_, rest) = lock.split_once("name = \"sqlx\"\n").context("sqlx is not in Cargo.lock")?;
    Ok(rest.lines().next().unwrap_or_default().to_owned())
}

/// All files in a folder and below, in the order of their paths; none if it is not there.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
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

/// The calls of query macros in a source file, `query_as!(…)` for example.
fn queries(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(start) = rest.find("query") {
        rest = &rest[start..];
        let name = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len());
        let (call, after) = match rest[name..].strip_prefix("!(") {
            Some(arguments) => rest.split_at(name + 2 + end_of_arguments(arguments)),
            None => ("", &rest[name..]),
        };
        if !call.is_empty() {
            found.push(call);
        }
        rest = after;
    }
    found
}

/// Where the parenthesis closes that was open before. Those in string literals do not
/// count.
fn end_of_arguments(text: &str) -> usize {
    let mut open = 1_u32;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        at += match character {
            '"' => string_length(&text[at..]),
            'r' => raw_string_length(&text[at..]).unwrap_or(1),
            _ => character.len_utf8(),
        };
        match character {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string literal that the text begins with.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    text.len()
}

/// The length of the raw string literal that the text begins with, if it does.
fn raw_string_length(text: &str) -> Option<usize> {
    let hashes = text[1..].find(|c| c != '#')?;
    let contents = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(contents.find(&end).map_or(text.len(), |at| hashes + 2 + at + end.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_query_macros_count() {
        let source = r###"
            // The query is quick.
            let rows = sqlx::query_as!(Row, r#"SELECT id AS "id!" FROM a WHERE b = ')"'"#, f(x))
                .fetch_all(pool);
            let found = query.find(sqlx::query!("SELECT '\")' (", (1, 2)));
            sqlx::query_file_scalar!("src/a.sql").execute(pool);
            sqlx::query("SELECT 1");
        "###;
        assert_eq!(
            queries(source),
            [
                r##"query_as!(Row, r#"SELECT id AS "id!" FROM a WHERE b = ')"'"#, f(x))"##,
                r#"query!("SELECT '\")' (", (1, 2))"#,
                r#"query_file_scalar!("src/a.sql")"#,
            ]
        );
        assert_eq!(queries(&source.replace("fetch_all", "fetch")), queries(source));
        assert_eq!(queries("query!("), ["query!("]);
    }

    #[test]
    fn the_hashes_change_with_the_queries_and_all_that_they_depend_on() -> Result<()> {
        let root = std::env::temp_dir().join(format!("stack-queries-{}", std::process::id()));
        let write = |path: &str, text: &str| -> Result<()> {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&root))?;
            Ok(fs::write(path, text)?)
        };
        write("Cargo.lock", "[[package]]\nname = \"sqlx\"\nversion = \"1\"\n")?;
        write("shop/sqlx.toml", "database-url-var = \"READ_DATABASE_URL\"\n")?;
        write("shop/src/a.rs", "query!(\"SELECT 1\"); f()")?;
        let crates = QueryCrate::all(&root)?;
        let [shop] = crates.as_slice() else { bail!("{crates:?}") };
        assert_eq!((&*shop.name, shop.database.name), ("shop", "read_db"));

        let hashes = || -> Result<_> { Ok((shop.hash_of_inputs(&root)?, shop.hash_of_data()?)) };
        let before = hashes()?;
        let mut seen = vec![before];
        write("shop/src/a.rs", "query!(\"SELECT 1\"); g()")?;
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
        Ok(fs::remove_dir_all(&root)?)
    }
}
