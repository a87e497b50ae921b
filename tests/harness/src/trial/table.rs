//! Tables for `docs/reliability.md`, each between its own markers.

use crate::paths;
use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command, time::Duration};

/// A table with its first line.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its markers' name.
    pub name: &'static str,
    /// The command that made it.
    pub command: String,
    /// What else belongs to the first line.
    pub note: String,
    /// Titles of the columns.
    pub head: Vec<&'static str>,
    /// The rows' cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// The text: date, commit and command, then the rows.
    #[must_use]
    pub fn text(&self) -> String {
        let (date, commit) = (said("date", &["-u", "+%F"]), commit());
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("{date}, commit {commit}, `{}`: {}\n\n", self.command, self.note);
        text += &line(self.head.iter().map(|cell| (*cell).to_owned()).collect());
        text += &format!("{}|\n", "|---".repeat(self.head.len()));
        for row in &self.rows {
            text += &line(row.iter().map(|cell| cell.replace('|', "/")).collect());
        }
        text
    }

    /// Puts the text between the markers in a file.
    ///
    /// # Errors
    /// When the file has no such markers or cannot be written.
    pub fn write_into(&self, file: &Path) -> Result<()> {
        let marker = |end| format!("<!-- {}: {end} -->", self.name);
        let page = fs::read_to_string(file)?;
        let lost = || format!("{} has no markers for {}", file.display(), self.name);
        let (before, rest) = page.split_once(&marker("begin")).with_context(lost)?;
        let (_, after) = rest.split_once(&marker("end")).with_context(lost)?;
        let [begin, end] = [marker("begin"), marker("end")];
        Ok(fs::write(file, format!("{before}{begin}\n{}{end}{after}", self.text()))?)
    }
}

/// `1.2 s`
#[must_use]
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

fn commit() -> String {
    let changed = said("git", &["status", "--porcelain", "--untracked-files=no"]);
    let mark = if changed.is_empty() { "" } else { " with changes" };
    said("git", &["rev-parse", "--short=9", "HEAD"]) + mark
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(paths::root()).output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let dir = TempDir::new("table").unwrap();
        let file = dir.path().join("page.md");
        fs::write(&file, "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n").unwrap();
        let table = Table {
            name: "x",
            command: "scripts/x".into(),
            note: "one".into(),
            head: vec!["h"],
            rows: vec![vec!["c|d".into()]],
        };
        table.write_into(&file).unwrap();
        let page = fs::read_to_string(&file).unwrap();
        assert!(
            page.starts_with("a\n<!-- x: begin -->\n") && page.ends_with("<!-- x: end -->\nb\n")
        );
        assert!(page.contains("| c/d |") && page.contains("`scripts/x`") && !page.contains("old"));
        assert!(Table { name: "y", ..table }.write_into(&file).is_err());
    }
}
