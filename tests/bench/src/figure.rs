//! A measured figure beside its limit.

use anyhow::Result;
use serde::Serialize;

/// One JSON line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What cannot be beaten, measured in the same run; or the bound where there is none.
    pub(crate) limit: f64,
    /// value / limit for rates, limit / value for what should be small: 1.0 is the limit.
    pub(crate) ratio: f64,
    /// The least ratio wanted.
    pub(crate) reach: f64,
    pub(crate) note: String,
}

fn round(x: f64) -> f64 {
    let digits = if x.abs() < 100.0 { 1_000.0 } else { 1.0 };
    (x * digits).round() / digits
}

impl Figure {
    /// A rate beside the limit's.
    pub(crate) fn rate(
        name: &'static str,
        value: f64,
        unit: &'static str,
        limit: f64,
        note: String,
    ) -> Self {
        let ratio = round(value / limit);
        Self { name, value: round(value), unit, limit: round(limit), ratio, reach: 0.8, note }
    }

    /// What should be at most `bound`.
    pub(crate) fn bound(
        name: &'static str,
        value: f64,
        unit: &'static str,
        bound: f64,
        note: String,
    ) -> Self {
        let ratio = round(bound / value);
        Self { name, value: round(value), unit, limit: round(bound), ratio, reach: 1.0, note }
    }

    /// The same where less than the limit is asked for.
    pub(crate) fn reaching(self, reach: f64) -> Self {
        Self { reach, ..self }
    }

    /// One JSON line, for programs.
    pub(crate) fn print(&self) -> Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}

/// The same for people, on standard error.
pub(crate) fn table(figures: &[Figure]) {
    eprintln!("{:<18} {:>12} {:>12} {:<11} {:>6}", "", "value", "limit", "unit", "ratio");
    for f in figures {
        let verdict = if f.ratio >= f.reach { "reached" } else { "falls short" };
        let Figure { name, value, limit, unit, ratio, reach, .. } = f;
        eprintln!("{name:<18} {value:>12} {limit:>12} {unit:<11} {ratio:>6} {verdict} ({reach})");
    }
}
