//! Tests with a database are in modules named `database_tests`: `cargo stack test` starts a
//! database for these.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn tests_with_a_database_are_in_modules_named_database_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = files(root, "rs");
    sources.retain(|(_, text)| use_database(text.lines()));
    assert!(!sources.is_empty(), "no tests found below {}", root.display());
    sources.retain(|(file, text)| {
        let module = file.strip_prefix(root).unwrap().with_extension("");
        let outside = text.lines().take_while(|line| line.trim() != "mod database_tests {");
        module.iter().all(|part| part != "database_tests") && use_database(outside)
    });
    let misplaced: Vec<_> = sources.into_iter().map(|(file, _)| file).collect();
    assert!(misplaced.is_empty(), "tests outside of a module database_tests: {misplaced:#?}");
}

fn use_database<'a>(mut lines: impl Iterator<Item = &'a str>) -> bool {
    lines.any(|line| line.trim_start().starts_with("#[sqlx::test"))
}

/// All files with an extension in a folder and the folders in it, with their texts.
pub fn files(folder: &Path, extension: &str) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            let is_skipped = name == "target"
                || name == "node_modules"
                || name.to_string_lossy().starts_with('.');
            if !is_skipped {
                files.extend(self::files(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(&path).unwrap();
            files.push((path, text));
        }
    }
    files
}
