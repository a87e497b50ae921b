//! `sovrd doctor`: everything the daemon stands on, looked at without touching any of it. What is
//! found ([`facts`]) is gathered first; what it means ([`judge`]) is a pure function of that.

pub mod facts;
pub mod gather;
pub mod judge;

use crate::exit::Exit;
use serde::Serialize;

/// How a check came out; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it must be.
    Fine,
    /// It works, and somebody should look before it no longer does.
    Warning,
    /// It does not work now and may by itself, or once something outside is back.
    Away,
    /// It does not work until somebody corrects it.
    Wrong,
    /// Chain and ledger contradict each other.
    Halted,
}

impl Verdict {
    /// The exit code; none where everything works.
    #[must_use]
    pub const fn exit(self) -> Option<Exit> {
        match self {
            Self::Fine | Self::Warning => None,
            Self::Away => Some(Exit::Transient),
            Self::Wrong => Some(Exit::Configuration),
            Self::Halted => Some(Exit::Halted),
        }
    }

    /// As the table shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Away => "AWAY",
            Self::Wrong => "WRONG",
            Self::Halted => "HALTED",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable name of the finding, `part.what`.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn fine(check: &'static str, finding: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fine, finding: finding.into(), remedy: None }
    }

    fn warning(check: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::fault(Verdict::Warning, check, finding, remedy)
    }

    fn away(check: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::fault(Verdict::Away, check, finding, remedy)
    }

    fn wrong(check: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::fault(Verdict::Wrong, check, finding, remedy)
    }

    fn fault(
        verdict: Verdict,
        check: &'static str,
        finding: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { check, verdict, finding: finding.into(), remedy: Some(remedy.into()) }
    }
}
