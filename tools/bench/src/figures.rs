//! Medians and numbers as text.

use kit::grouped;

/// The median, which is the mean of the middle two if their number is even; 0 without values.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let value = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    f64::midpoint(value(last / 2), value(last.div_ceil(2)))
}

/// A figure with three significant digits, or all digits before the point.
pub fn written(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => grouped(figure.round() as u64),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0]), 3.0);
        assert_eq!(median([9.0, 1.0, 3.0]), 3.0);
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn figures_have_three_significant_digits() {
        for (figure, text) in
            [(0.0, "0.000"), (0.0423, "0.042"), (1.347, "1.35"), (12.34, "12.3"), (8123.4, "8,123")]
        {
            assert_eq!(written(figure), text);
        }
    }
}
