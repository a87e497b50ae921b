//! Reads a TOML table field by field and remembers every fault, so that all are told at once.

use std::{fmt::Display, str::FromStr};
use toml::{Table, Value};

/// Collects faults while a file is read.
#[derive(Debug, Default)]
pub(super) struct Faults {
    list: Vec<String>,
    /// Environment variables that somebody looked at.
    variables: Vec<String>,
}

/// Variables that are read elsewhere.
const VARIABLES_ELSEWHERE: &[&str] = if cfg!(feature = "failpoints") {
    &["SOVR_CONFIG", "SOVR_FAIL_POINT", "SOVR_FAIL_POINT_MARKER"]
} else {
    &["SOVR_CONFIG"]
};
/// A variable is taken for a misspelt one up to this edit distance.
const MISSPELT: usize = 3;

impl Faults {
    pub(super) fn add(&mut self, field: &str, problem: impl Display) {
        self.list.push(format!("{field}: {problem}"));
    }

    /// Tells variables that look like ours and are not: of one of our sections, or misspelt.
    pub(super) fn add_strange_variables(&mut self) {
        let ours = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        for name in ours.filter(|name| name.starts_with("SOVR_")) {
            self.add_strange_variable(&name);
        }
    }

    fn add_strange_variable(&mut self, name: &str) {
        let known =
            self.variables.iter().map(String::as_str).chain(VARIABLES_ELSEWHERE.iter().copied());
        let section = |one: &str| one.split('_').nth(1).map(str::to_owned);
        let elsewhere = |one: &str| section(one) != section(name);
        let nearest = known.map(|one| (elsewhere(one), distance(one, name), one)).min();
        let Some((is_elsewhere, distance, nearest)) = nearest.filter(|(_, d, _)| *d > 0) else {
            return;
        };
        if !is_elsewhere || distance <= MISSPELT {
            self.list.push(format!("{name}: unknown variable; did you mean {nearest}?"));
        }
    }

    pub(super) fn into_list(self) -> Vec<String> {
        self.list
    }
}

/// One table of the file.
#[derive(Debug)]
pub(super) struct Section<'a> {
    name: &'static str,
    table: Table,
    known: Vec<&'static str>,
    faults: &'a mut Faults,
}

impl<'a> Section<'a> {
    /// Takes `[name]` out of the file. Environment variables `SOVR_<NAME>_<FIELD>` win over it.
    pub(super) fn take(file: &mut Table, name: &'static str, faults: &'a mut Faults) -> Self {
        let table = match file.remove(name) {
            Some(Value::Table(table)) => table,
            Some(other) => {
                faults.add(name, format_args!("must be a table, is a {}", other.type_str()));
                Table::new()
            }
            None => Table::new(),
        };
        Self { name, table, known: Vec::new(), faults }
    }

    /// True if anything of a section is given, in the file or by an environment variable.
    pub(super) fn is_given(file: &Table, name: &str) -> bool {
        let prefix = format!("SOVR_{name}_").to_uppercase();
        let is_ours = |name: std::ffi::OsString| name.to_string_lossy().starts_with(&prefix);
        file.contains_key(name) || std::env::vars_os().any(|(name, _)| is_ours(name))
    }

    /// The variable that wins over a field.
    fn variable(&mut self, field: &str) -> Option<String> {
        let name = format!("SOVR_{}_{field}", self.name).to_uppercase();
        let value = std::env::var(&name).ok();
        self.faults.variables.push(name);
        value
    }

    fn path(&self, field: &str) -> String {
        format!("{}.{field}", self.name)
    }

    fn raw(&mut self, field: &'static str) -> Option<String> {
        self.known.push(field);
        let from_file = self.table.remove(field);
        if let Some(value) = self.variable(field) {
            return Some(value);
        }
        match from_file? {
            Value::String(text) => Some(text),
            Value::Integer(number) => Some(number.to_string()),
            Value::Boolean(flag) => Some(flag.to_string()),
            other @ (Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_)) => {
                let found = other.type_str();
                let path = self.path(field);
                self.faults
                    .add(&path, format_args!("must be text or a whole number, is a {found}"));
                None
            }
        }
    }

    /// True if the field is given, in the file or by its environment variable.
    pub(super) fn has(&mut self, field: &str) -> bool {
        let variable = self.variable(field);
        self.table.contains_key(field) || variable.is_some()
    }

    /// A value that may be missing.
    pub(super) fn optional<T: FromStr>(&mut self, field: &'static str, right: &str) -> Option<T> {
        let raw = self.raw(field)?;
        match raw.parse() {
            Ok(value) => Some(value),
            Err(_) => {
                let path = self.path(field);
                self.faults.add(&path, format_args!("{raw:?} is not {right}"));
                None
            }
        }
    }

    /// A value that must be there; `right` says what would be right.
    pub(super) fn required<T: FromStr>(&mut self, field: &'static str, right: &str) -> Option<T> {
        let before = self.faults.list.len();
        let value = self.optional(field, right);
        if value.is_none() && self.faults.list.len() == before {
            let path = self.path(field);
            self.faults.add(&path, format_args!("missing; give {right}"));
        }
        value
    }

    /// A whole number within bounds, with a default.
    pub(super) fn number(&mut self, field: &'static str, default: u64, min: u64, max: u64) -> u64 {
        let right = format!("a whole number from {min} to {max}");
        let value = self.optional(field, &right).unwrap_or(default);
        if !(min..=max).contains(&value) {
            let path = self.path(field);
            self.faults.add(&path, format_args!("{value} is not {right}"));
        }
        value
    }

    /// A list of texts that must not be empty. The environment variable holds it comma-separated.
    pub(super) fn list(&mut self, field: &'static str, right: &str) -> Vec<String> {
        let list = self.optional_list(field, right);
        if list.is_empty() {
            self.fault(field, format_args!("missing or empty; give {right}"));
        }
        list
    }

    /// A list of texts that may be missing. The environment variable holds it comma-separated.
    pub(super) fn optional_list(&mut self, field: &'static str, right: &str) -> Vec<String> {
        self.known.push(field);
        let from_file = self.table.remove(field);
        let items = match (self.variable(field), from_file) {
            (Some(text), _) if text.is_empty() => Vec::new(),
            (Some(text), _) => return text.split(',').map(|s| s.trim().to_owned()).collect(),
            (None, None) => Vec::new(),
            (None, Some(Value::Array(items))) => items,
            (None, Some(other)) => {
                let found = other.type_str();
                self.fault(field, format_args!("must be a list, is a {found}; give {right}"));
                Vec::new()
            }
        };
        let texts: Vec<String> =
            items.iter().filter_map(|i| i.as_str().map(str::to_owned)).collect();
        if texts.len() < items.len() {
            self.fault(field, format_args!("not all of it is text; give {right}"));
        }
        texts
    }

    /// A fault of this section that its caller found.
    pub(super) fn fault(&mut self, field: &str, problem: impl Display) {
        let path = self.path(field);
        self.faults.add(&path, problem);
    }

    /// Tells every key that nobody asked for, with the nearest known one.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let nearest = self.known.iter().min_by_key(|known| distance(known, key));
            let hint = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            self.faults.add(&format!("{}.{key}", self.name), format_args!("unknown key{hint}"));
        }
    }
}

/// Edit distance (Levenshtein), over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let best = (*cell + 1).min(left + 1).min(diagonal + usize::from(x != y));
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_ours_that_nobody_reads_are_told() {
        let variables = ["SOVR_CHAIN_CHAIN_ID", "SOVR_API_LISTEN"].map(str::to_owned).to_vec();
        let mut faults = Faults { list: Vec::new(), variables };
        for name in ["SOVR_CHAIN_CHAIN_ID", "SOVR_CONFIG", "SOVR_ADMIN", "SOVR_SIGNERS_FILE"] {
            faults.add_strange_variable(name);
        }
        assert_eq!(faults.list, [""; 0]);
        faults.add_strange_variable("SOVR_CHAIN_ID");
        faults.add_strange_variable("SOVR_APY_LISTEN");
        assert_eq!(
            faults.list,
            [
                "SOVR_CHAIN_ID: unknown variable; did you mean SOVR_CHAIN_CHAIN_ID?",
                "SOVR_APY_LISTEN: unknown variable; did you mean SOVR_API_LISTEN?"
            ]
        );
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("rpc_url", "rpc_url"), 0);
        assert_eq!(distance("rpc_url", "rcp_url"), 2);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
