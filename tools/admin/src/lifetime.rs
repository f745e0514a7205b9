//! The lifetime of a key.

use chrono::TimeDelta;

/// The longest lifetime, in minutes: a hundred years.
const MOST_MINUTES: i64 = 100 * 366 * 24 * 60;

/// Reads a number and a unit: minutes, hours, days or weeks.
pub fn lifetime(text: &str) -> Result<TimeDelta, String> {
    let minutes = [("m", 1), ("h", 60), ("d", 24 * 60), ("w", 7 * 24 * 60)];
    let read = || {
        let (number, minutes) = minutes
            .into_iter()
            .find_map(|(unit, minutes)| Some((text.strip_suffix(unit)?, minutes)))?;
        let number: u32 = number.parse().ok().filter(|_| !number.starts_with('+'))?;
        let minutes = i64::from(number).checked_mul(minutes)?;
        (1..=MOST_MINUTES).contains(&minutes).then(|| TimeDelta::minutes(minutes))
    };
    read().ok_or_else(|| "must be a number and m, h, d or w, such as 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        assert_eq!(lifetime("90d"), Ok(TimeDelta::days(90)));
        assert_eq!(lifetime("2w"), Ok(TimeDelta::days(14)));
        assert_eq!(lifetime("12h"), Ok(TimeDelta::hours(12)));
        assert_eq!(lifetime("5m"), Ok(TimeDelta::minutes(5)));
        for bad in ["", "d", "90", "0d", "-1d", "+1d", "1.5d", "1y", "4294967295w"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }
}
