//! Rows of the table that `scripts/faults` makes: with `SOVR_FAULT_ROWS=<folder>` each case leaves
//! one there.

use anyhow::Result;
use serde_json::json;
use std::{fs, path::PathBuf, time::Duration};

/// A row of the table, if somebody wants one.
pub fn row(fault: &str, setting: &str, did: &str, said: &str, recovery: Duration) -> Result<()> {
    let Ok(folder) = std::env::var("SOVR_FAULT_ROWS") else { return Ok(()) };
    let name: String =
        format!("{setting}-{fault}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let row = json!({
        "setting": setting, "fault": fault, "did": did, "said": said,
        "recovery_ms": u64::try_from(recovery.as_millis())?,
    });
    Ok(fs::write(PathBuf::from(folder).join(format!("{name}.json")), row.to_string())?)
}

pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}
