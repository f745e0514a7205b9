//! Numbers and times as text.

use kit::grouped;

/// A number with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = match count {
        1 => "",
        _ if noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", grouped(count))
}

/// How long ago an event was.
pub fn ago(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s ago"),
        120..7200 => format!("{} min ago", seconds / 60),
        7200.. => format!("{} h ago", grouped((seconds / 3600).unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_easy_to_read() {
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2, "breach"), "2 breaches");
        assert_eq!(
            [0, 119, 120, 7200].map(ago),
            ["0 s ago", "119 s ago", "2 min ago", "2 h ago"].map(str::to_owned)
        );
    }
}
