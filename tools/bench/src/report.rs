//! The report: figures with their limits and targets, by section.

use crate::figures::written;
use crate::table::table;
use anyhow::{Context, Result};
use kit::grouped;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The target for a grown database's figure, as a fraction of the small one's.
const GROWN: f64 = 0.8;

/// The unit of a figure. For rates more is better, for all other units less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    PerSecond,
    Milliseconds,
    Seconds,
    Megabytes,
}

/// A minimum if more is better, otherwise a maximum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The ratio of our figure to the limit.
    Ratio(f64),
    /// Our figure, in its unit.
    Figure(f64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub what: String,
    pub ours: f64,
    pub unit: Unit,
    /// The figure that it is compared with, and its name.
    pub limit: Option<(f64, &'static str)>,
    pub target: Option<Target>,
    /// A problem with the measurement.
    pub flag: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Section {
    name: String,
    /// Whether it ran on grown databases.
    grown: bool,
    rows: Vec<Row>,
    /// Further tables and sentences.
    remarks: Vec<String>,
    /// The disk's flushes per second before and after the section.
    fsync: (f64, f64),
}

#[derive(Clone, Debug)]
pub struct Report {
    machine: Vec<String>,
    sections: Vec<Section>,
    failures: Vec<String>,
}

impl Unit {
    const fn text(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
            Self::Megabytes => " MB",
        }
    }

    const fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond)
    }

    fn written(self, figure: f64) -> String {
        format!("{}{}", written(figure), self.text())
    }
}

impl Row {
    /// A figure for information.
    pub fn new(what: impl Into<String>, ours: f64, unit: Unit) -> Self {
        Self { what: what.into(), ours, unit, limit: None, target: None, flag: None }
    }

    pub fn against(self, figure: f64, what: &'static str) -> Self {
        Self { limit: Some((figure, what)), ..self }
    }

    pub fn target(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    pub fn flagged(self, flag: Option<String>) -> Self {
        Self { flag, ..self }
    }

    fn ratio(&self) -> Option<f64> {
        let (limit, _) = self.limit?;
        (limit > 0.0).then(|| self.ours / limit)
    }

    /// Whether the target is met; none without a target, or without the limit that it refers to.
    fn met(&self) -> Option<bool> {
        let (figure, target) = match self.target? {
            Target::Ratio(target) => (self.ratio()?, target),
            Target::Figure(target) => (self.ours, target),
        };
        Some(if self.unit.more_is_better() { figure >= target } else { figure <= target })
    }

    /// The row of a grown database, compared with that of the small one if there is one, otherwise
    /// with its limit if that was measured.
    fn grown(self, small: Option<f64>) -> Self {
        let Some(small) = small else {
            let limit = self.limit.filter(|(figure, _)| *figure > 0.0);
            return Self { limit, target: self.target.filter(|_| limit.is_some()), ..self };
        };
        let ratio = if self.unit.more_is_better() { GROWN } else { 1.0 / GROWN };
        self.against(small, "small database").target(Target::Ratio(ratio))
    }

    fn cells(&self, section: &Section) -> Vec<String> {
        let limit = |(figure, what)| format!("{} ({what})", self.unit.written(figure));
        let met = match self.met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "—",
        };
        vec![
            format!("{}: {}", section.name, self.what),
            self.unit.written(self.ours),
            self.limit.map(limit).unwrap_or_default(),
            self.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            self.target.map(|target| self.written_target(target)).unwrap_or_default(),
            format!("{met}{}", if self.flag.is_some() { " (!)" } else { "" }),
            section.written_fsync(),
        ]
    }

    fn written_target(&self, target: Target) -> String {
        let sign = if self.unit.more_is_better() { '≥' } else { '≤' };
        match target {
            Target::Ratio(ratio) => format!("{sign} {ratio} ×"),
            Target::Figure(figure) => format!("{sign} {}", self.unit.written(figure)),
        }
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "ours": self.ours,
            "unit": self.unit.text().trim(),
            "limit": self.limit.map(|(figure, _)| figure),
            "limitIs": self.limit.map(|(_, what)| what),
            "ratio": self.ratio(),
            "target": self.target.map(|target| self.written_target(target)),
            "met": self.met(),
            "flag": self.flag,
        })
    }
}

impl Section {
    fn written_fsync(&self) -> String {
        let (before, after) = self.fsync;
        format!("{} → {}", grouped(before as u64), grouped(after as u64))
    }

    fn json(&self) -> Value {
        json!({
            "section": self.name,
            "grown": self.grown,
            "fsyncPerSecond": {"before": self.fsync.0, "after": self.fsync.1},
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "remarks": self.remarks,
        })
    }
}

impl Report {
    pub const fn new(machine: Vec<String>) -> Self {
        Self { machine, sections: Vec::new(), failures: Vec::new() }
    }

    /// Begins a section, to which rows and remarks are added.
    pub fn begin(&mut self, name: &str, grown: bool, fsync_before: f64) {
        let name = if grown { format!("grown {name}") } else { name.to_owned() };
        let fsync = (fsync_before, 0.0);
        self.sections.push(Section { name, grown, fsync, ..Section::default() });
    }

    pub fn end(&mut self, fsync_after: f64) {
        if let Some(section) = self.sections.last_mut() {
            section.fsync.1 = fsync_after;
        }
    }

    /// Adds a row. In a section on grown databases it is compared with the row of the same name
    /// on small databases, if there is one.
    pub fn add(&mut self, row: Row) {
        let Some((section, earlier)) = self.sections.split_last_mut() else { return };
        let row = match section.name.strip_prefix("grown ") {
            Some(small) => {
                let mut rows = earlier.iter().filter(|it| it.name == small).flat_map(|it| &it.rows);
                let small = rows.find(|small| small.what == row.what).map(|small| small.ours);
                row.grown(small)
            }
            None => row,
        };
        section.rows.push(row);
    }

    pub fn remark(&mut self, remark: String) {
        if let Some(section) = self.sections.last_mut() {
            section.remarks.push(remark);
        }
    }

    /// Adds a failure: something was wrong, not only slow.
    pub fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    pub fn is_sound(&self) -> bool {
        self.failures.is_empty()
    }

    pub fn text(&self) -> String {
        let head = ["what", "ours", "limit", "ratio", "target", "met", "fsync/s"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for section in &self.sections {
            rows.extend(section.rows.iter().map(|row| row.cells(section)));
        }
        let mut parts = vec![self.machine.join("\n"), table(&rows)];
        let flags: Vec<String> = self.sections.iter().flat_map(flags).collect();
        parts.extend([flags.join("\n")].into_iter().filter(|flags| !flags.is_empty()));
        for section in &self.sections {
            parts.extend(section.remarks.iter().map(|text| format!("{}: {text}", section.name)));
        }
        parts.extend(self.failures.iter().map(|failure| format!("WRONG: {failure}")));
        parts.join("\n\n")
    }

    /// Writes `report.md` and `report.json` into the folder.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let json = json!({
            "machine": self.machine,
            "sections": self.sections.iter().map(Section::json).collect::<Vec<_>>(),
            "failures": self.failures,
        });
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(folder.join("report.md"), self.text() + "\n"))
            .and_then(|()| fs::write(folder.join("report.json"), format!("{json:#}\n")))
            .with_context(|| format!("cannot write the report to {}", folder.display()))
    }
}

fn flags(section: &Section) -> Vec<String> {
    let flagged = section.rows.iter().filter_map(|row| Some((row, row.flag.as_ref()?)));
    flagged.map(|(row, flag)| format!("(!) {}: {}: {flag}", section.name, row.what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intake(ours: f64) -> Row {
        Row::new("64 clients", ours, Unit::PerSecond)
            .against(2_000.0, "one statement")
            .target(Target::Ratio(2.0))
    }

    #[test]
    fn a_row_shows_whether_its_target_is_met() {
        assert_eq!(intake(4_000.0).met(), Some(true));
        assert_eq!(intake(3_999.0).met(), Some(false));
        assert_eq!(Row::new("x", 1.0, Unit::Seconds).met(), None);
        let row = Row::new("x", 1.0, Unit::Seconds).target(Target::Figure(0.9));
        assert_eq!(row.met(), Some(false));
        assert_eq!(row.target(Target::Ratio(1.3)).met(), None);
    }

    #[test]
    fn the_table_has_a_row_for_each_figure_and_shows_problems() {
        let mut report = Report::new(vec!["2 cores".to_owned()]);
        report.begin("intake", false, 900.0);
        report.add(intake(5_000.0).flagged(Some("3 × 500".to_owned())));
        report.end(1_100.0);
        let text = report.text();
        let row = "| intake: 64 clients | 5,000/s | 2,000/s (one statement) |  2.50 |  ≥ 2 × | yes (!) | 900 → 1,100 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("(!) intake: 64 clients: 3 × 500"), "{text}");
    }

    #[test]
    fn a_grown_database_is_compared_with_the_small_one() {
        let mut report = Report::new(Vec::new());
        report.begin("intake", false, 1.0);
        report.add(intake(5_000.0));
        report.begin("intake", true, 1.0);
        report.add(intake(4_500.0));
        report.add(Row::new("new", 1.0, Unit::Seconds).target(Target::Figure(2.0)));
        let rows = &report.sections[1].rows;
        assert_eq!((rows[0].ratio(), rows[0].met()), (Some(0.9), Some(true)));
        assert_eq!(rows[1].met(), None);
    }
}
