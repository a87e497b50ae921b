//! What the system says of a process.

use anyhow::{Context, Result};
use std::{fs, time::Duration};

/// Clock ticks a second in `/proc`: fixed on Linux, whatever the kernel's own rate.
const TICKS: f64 = 100.0;

/// The largest resident size so far, MiB.
pub(crate) fn peak_mib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// The peak of this process starts anew.
pub(crate) fn forget_peak() -> Result<()> {
    Ok(fs::write("/proc/self/clear_refs", "5")?)
}

/// Processor time so far, of all threads, in and out of the kernel.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything; behind it, these are the 12th and 13th field.
    let fields = stat.rsplit_once(')').context("no name")?.1;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || -> Result<f64> { Ok(fields.next().context("too short")?.parse()?) };
    Ok(Duration::from_secs_f64((ticks()? + ticks()?) / TICKS))
}
