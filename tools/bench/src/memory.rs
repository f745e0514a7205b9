//! The memory of a process.

use std::fs;

/// Resident memory of a process, in megabytes (10^6 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Memory {
    pub now: f64,
    pub peak: f64,
}

impl Memory {
    /// The memory of a process; zero if there is no such process.
    pub fn of(process: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        Self::parse(&status)
    }

    fn parse(status: &str) -> Self {
        // `VmHWM:	   12345 kB`, where kB means 1024 bytes: proc(5).
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            number.unwrap_or(0.0) * 1024.0 / 1e6
        };
        Self { now: megabytes("VmRSS:"), peak: megabytes("VmHWM:") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_figures_are_read() {
        let status = "Name:\tx\nVmHWM:\t  250000 kB\nVmRSS:\t  125000 kB\n";
        assert_eq!(Memory::parse(status), Memory { now: 128.0, peak: 256.0 });
        assert_eq!(Memory::parse(""), Memory::default());
    }
}
