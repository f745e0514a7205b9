//! Tables for the terminal.

/// Pads the cells of each row to the width of their columns, of at least `least` characters. The
/// first column is aligned left, the others right. Missing cells become empty.
pub fn aligned(rows: &[Vec<String>], least: usize) -> Vec<Vec<String>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let widths = rows.iter().filter_map(|row| Some(row.get(column)?.chars().count()));
        widths.max().unwrap_or(0).max(least)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let pad = |row: &Vec<String>| {
        let cells = widths.iter().enumerate().map(|(column, &width)| {
            let cell = row.get(column).map_or("", String::as_str);
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect()
    };
    rows.iter().map(pad).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_short_rows_are_filled() {
        let rows = [vec!["what".to_owned(), "1".to_owned()], vec!["intake, é".to_owned()]];
        assert_eq!(aligned(&rows, 3), [["what     ", "  1"], ["intake, é", "   "]]);
        assert!(aligned(&[], 3).is_empty());
    }
}
