//! A measured figure beside its limit.

use anyhow::Result;
use serde::Serialize;

/// One JSON line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) limit: f64,
    /// value / limit for rates: 1.0 is the limit.
    pub(crate) ratio: f64,
    pub(crate) note: String,
}

impl Figure {
    /// A rate.
    pub(crate) fn rate(name: &'static str, value: f64, limit: f64, note: String) -> Self {
        let round = |x: f64| (x * 1_000.0).round() / 1_000.0;
        let ratio = round(value / limit);
        Self { name, value: value.round(), unit: "deposits/s", limit: limit.round(), ratio, note }
    }

    pub(crate) fn print(&self) -> Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }
}
