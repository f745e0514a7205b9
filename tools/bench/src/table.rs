//! Tables in Markdown, aligned for the terminal.

use kit::aligned;

/// The narrowest column: Markdown requires three dashes under a head.
const NARROWEST: usize = 3;

/// A table, whose first row is its head.
pub fn table(rows: &[Vec<String>]) -> String {
    let rows = aligned(rows, NARROWEST);
    let line = |cells: &Vec<String>| format!("| {} |", cells.join(" | "));
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    if let Some(head) = rows.first() {
        let dashes = head.iter().enumerate().map(|(column, cell)| {
            let width = cell.chars().count();
            if column == 0 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
        });
        lines.insert(1, line(&dashes.collect()));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_row_is_the_head() {
        let rows = [vec!["what".to_owned(), "ours".to_owned()], vec!["intake, é".to_owned()]];
        let lines = ["| what      | ours |", "| --------- | ---: |", "| intake, é |      |"];
        assert_eq!(table(&rows), lines.join("\n"));
        assert_eq!(table(&[]), "");
    }
}
