//! Processor time by part: each server and service with its child processes, and the load
//! generator.

use crate::figures::written;
use crate::table::table;
use std::collections::BTreeMap;
use std::fs;

/// Microseconds per tick. The unit of times in /proc, USER_HZ, is 100 on all architectures that
/// the bench supports.
const TICK_MICROS: f64 = 10_000.0;

const SELF: &str = "load generator";

/// The name of a part and its root process.
pub type Part = (String, u32);

/// Ticks spent so far, by part.
#[derive(Clone, Debug, Default)]
pub struct Spent(BTreeMap<String, u64>);

/// One process, from `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    id: u32,
    parent: u32,
    own: u64,
    /// Ticks of its ended children.
    waited: u64,
}

impl Spent {
    /// The ticks spent so far.
    pub fn now(parts: &[Part]) -> Self {
        let processes = processes();
        let mut spent: BTreeMap<String, u64> =
            parts.iter().map(|(name, root)| (name.clone(), of_tree(&processes, *root))).collect();
        // Without children: these are services and pgbench.
        let own = processes.iter().find(|process| process.id == std::process::id());
        spent.insert(SELF.to_owned(), own.map_or(0, |process| process.own));
        Self(spent)
    }

    /// The ticks spent since then.
    pub fn since(&self, before: &Self) -> Self {
        let since = |(name, ticks): (&String, &u64)| {
            let before = before.0.get(name).copied().unwrap_or(0);
            (name.clone(), ticks.saturating_sub(before))
        };
        Self(self.0.iter().map(since).collect())
    }

    /// Adds the ticks of another time.
    pub fn add(&mut self, other: &Self) {
        for (name, ticks) in &other.0 {
            *self.0.entry(name.clone()).or_default() += ticks;
        }
    }

    /// A table of microseconds per order, by part and in total.
    pub fn per_order(&self, orders: u64) -> String {
        let micros = |ticks: u64| written(ticks as f64 * TICK_MICROS / orders.max(1) as f64);
        let mut rows = vec![vec!["processor time".to_owned(), "µs per order".to_owned()]];
        rows.extend(self.0.iter().map(|(name, ticks)| vec![name.clone(), micros(*ticks)]));
        rows.push(vec!["total".to_owned(), micros(self.0.values().sum())]);
        table(&rows)
    }
}

/// Ticks of a process and its descendants. The ticks of an ended process are in its parent's
/// `waited`, so nothing is lost or counted twice.
fn of_tree(processes: &[Process], root: u32) -> u64 {
    let own = processes.iter().filter(|process| process.id == root);
    let own: u64 = own.map(|process| process.own + process.waited).sum();
    let children = processes.iter().filter(|process| process.parent == root);
    own + children.map(|child| of_tree(processes, child.id)).sum::<u64>()
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        // Only the names of processes are numbers.
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        Process::parse(&fs::read_to_string(entry.path().join("stat")).ok()?)
    };
    entries.filter_map(read).collect()
}

impl Process {
    /// Reads the line (proc(5)). Field 2, the name, may contain spaces and parentheses, so
    /// fields are counted from its end.
    fn parse(stat: &str) -> Option<Self> {
        let id = stat.split(' ').next()?.parse().ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        // The first one here is field 3.
        let number = |field: usize| fields.get(field - 3)?.trim().parse::<u64>().ok();
        Some(Self {
            id,
            parent: u32::try_from(number(4)?).ok()?,
            own: number(14)? + number(15)?,
            waited: number(16)? + number(17)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_after_names_with_parentheses() {
        let stat = "71 (a) b (c) S 7 71 7 0 -1 4194560 1 0 0 0 11 22 33 44 20 0 1 0 98765 0";
        let process = Process { id: 71, parent: 7, own: 33, waited: 77 };
        assert_eq!(Process::parse(stat), Some(process));
        assert_eq!(Process::parse("not a process"), None);
    }

    #[test]
    fn a_tree_is_its_root_and_its_descendants() {
        let process = |id, parent, own, waited| Process { id, parent, own, waited };
        let all = [
            process(5, 3, 1, 0),
            process(3, 2, 10, 5),
            process(2, 1, 100, 50),
            process(9, 1, 7, 7),
        ];
        assert_eq!(of_tree(&all, 2), 166);
        assert_eq!(of_tree(&all, 3), 16);
        assert_eq!(of_tree(&all, 4), 0);
    }

    #[test]
    fn the_table_shows_time_per_order() {
        let spent = |ticks| Spent(BTreeMap::from([("db".to_owned(), ticks)]));
        let table = spent(150).since(&spent(50)).per_order(10_000);
        assert!(table.contains("| db             |          100 |"), "{table}");
    }
}
