//! Tables in Markdown, aligned for the terminal.

/// A table. The first row is its head. The first column is aligned left, the others right.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().flat_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    // Markdown requires three dashes under a head.
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0).max(3)).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| aligned(row, &widths)).collect();
    if !lines.is_empty() {
        lines.insert(1, rule(&widths));
    }
    lines.join("\n")
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells = widths.iter().enumerate().map(|(column, &width)| {
        let cell = row.get(column).map_or("", String::as_str);
        if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    });
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn rule(widths: &[usize]) -> String {
    let cells = widths.iter().enumerate().map(|(column, &width)| match column {
        0 => "-".repeat(width),
        _ => format!("{}:", "-".repeat(width - 1)),
    });
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_short_rows_are_filled() {
        let rows = [vec!["what".to_owned(), "ours".to_owned()], vec!["intake, é".to_owned()]];
        let lines = ["| what      | ours |", "| --------- | ---: |", "| intake, é |      |"];
        assert_eq!(table(&rows), lines.join("\n"));
        assert_eq!(table(&[]), "");
    }
}
