//! `sovrd doctor`

use super::{ConfigFile, print};
use crate::{
    doctor::{Check, Verdict, gather, judge::judge},
    exit::Failure,
};
use clap::Args;
use serde::Serialize;

/// Columns for the name of a check and for its verdict.
const NAME: usize = 24;
const VERDICT: usize = 9;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    /// The worst verdict of all checks.
    verdict: Verdict,
    checks: &'a [Check],
}

/// Looks at everything and ends with the code of the worst fault.
pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    let facts = gather::facts(&config).await?;
    let checks = judge(&config, &facts);
    let verdict = checks.iter().map(|c| c.verdict).max().unwrap_or(Verdict::Fine);
    if arguments.json {
        let report = Report { verdict, checks: &checks };
        let line = serde_json::to_string(&report).map_err(|e| Failure::bug(e.to_string()))?;
        print(&line);
    } else {
        print(&table(&checks));
    }
    let faults = checks.iter().filter(|c| c.verdict.exit().is_some()).count();
    match verdict.exit() {
        None => Ok(()),
        Some(exit) => {
            Err(Failure { exit, message: format!("{faults} of {} checks failed", checks.len()) })
        }
    }
}

fn table(checks: &[Check]) -> String {
    let line = |check: &Check| {
        let Check { check: name, verdict, finding, remedy } = check;
        let verdict = verdict.name();
        let line = format!("{name:<NAME$}{verdict:<VERDICT$}{finding}");
        match remedy {
            Some(remedy) => format!("{line}\n{:>width$}-> {remedy}", "", width = NAME + VERDICT),
            None => line,
        }
    };
    checks.iter().map(line).collect::<Vec<_>>().join("\n")
}
