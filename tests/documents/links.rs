//! Relative links of the Markdown pages lead to files and headings that exist.

use crate::test_modules::files;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[test]
fn relative_links_of_pages_lead_to_files_and_headings_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pages = files(root, "md");
    assert!(!pages.is_empty(), "no pages found below {}", root.display());
    let mut broken = Vec::new();
    for (page, text) in &pages {
        for link in prose(text).flat_map(links) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            let text = fs::read_to_string(&target).unwrap_or_default();
            let exists =
                if heading.is_empty() { target.exists() } else { anchors(&text).contains(heading) };
            if !exists {
                broken.push(format!("{}: {link}", page.strip_prefix(root).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "broken links: {broken:#?}");
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The targets of links, without those to other sites.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://"))
}

/// The anchors that GitHub gives the headings of a page. A repeated heading gets a number.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut repetitions: BTreeMap<String, u32> = BTreeMap::new();
    let numbered = prose(text).filter_map(anchor).map(|anchor| {
        let number = repetitions.entry(anchor.clone()).or_default();
        *number += 1;
        if *number == 1 { anchor } else { format!("{anchor}-{}", *number - 1) }
    });
    numbered.collect()
}

/// The anchor of a heading.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let letters = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    Some(letters.map(|c| if c == ' ' { '-' } else { c }).collect())
}
