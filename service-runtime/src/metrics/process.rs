//! How the process is, as Linux tells it in `/proc`:
//! <https://man7.org/linux/man-pages/man5/proc.5.html>. Other systems tell nothing there.

use super::{Counter, Gauge, Metric};
use std::fs;
use std::time::SystemTime;

pub(super) static CPU: Metric<Counter> =
    Metric::new("process_cpu_seconds_total", "Processor time used, in whole seconds.");

pub(super) static MEMORY: Metric<Gauge> =
    Metric::new("process_resident_memory_bytes", "Memory in use.");

pub(super) static OPEN_FILES: Metric<Gauge> =
    Metric::new("process_open_fds", "Open file descriptors.");

pub(super) static MAX_FILES: Metric<Gauge> =
    Metric::new("process_max_fds", "Most file descriptors that may be open.");

pub(super) static START: Metric<Gauge> =
    Metric::new("process_start_time_seconds", "When the process started, in Unix time.");

/// In `/proc` a second has so many ticks, on every architecture that we run on.
const TICKS: u64 = 100;

/// Notes that the process has just started.
pub(super) fn started() {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    START.set(since.map_or(f64::NAN, |since| since.as_secs_f64()));
}

/// Looks how the process is.
pub(super) fn look() {
    let read = |file| fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default();
    if let (Some(series), Some(ticks)) = (CPU.only(), cpu_ticks(&read("stat"))) {
        series.absolute(ticks / TICKS);
    }
    let kilobytes = first_number(&read("status"), "VmRSS:");
    MEMORY.set(kilobytes.map_or(f64::NAN, |kilobytes| kilobytes as f64 * 1024.0));
    // One of them is that of the look itself.
    let open = fs::read_dir("/proc/self/fd").map(|files| files.count().saturating_sub(1));
    OPEN_FILES.set(open.map_or(f64::NAN, |open| open as f64));
    let most = first_number(&read("limits"), "Max open files");
    MAX_FILES.set(most.map_or(f64::NAN, |most| most as f64));
}

/// Time in user and kernel mode, fields 14 and 15 of `stat`. The second field is the
/// program's name in brackets, which may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// The first number of the line that begins with that.
fn first_number(text: &str, beginning: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(beginning))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_understood() {
        let stat = "7 (a (b) 1 2) S 1 7 7 0 -1 4194560 104 0 0 0 311 89 0 0 20 0 5 0 1 2 3";
        assert_eq!(cpu_ticks(stat), Some(400));
        let status = "Name:\tshop\nVmRSS:\t   51200 kB\nThreads:\t5\n";
        assert_eq!(first_number(status, "VmRSS:"), Some(51_200));
        let limits = "Max open files            1024                 524288               files\n";
        assert_eq!(first_number(limits, "Max open files"), Some(1024));
        assert_eq!((cpu_ticks(""), first_number("", "VmRSS:")), (None, None));
    }
}
