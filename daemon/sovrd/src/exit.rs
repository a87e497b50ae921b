//! Why the program ends, and with which code.

use std::process::ExitCode;

/// The exit codes of `sovrd`; other programs rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Wrong usage.
    Usage = 64,
    /// A contradiction was found: do not restart in a loop.
    Halted = 65,
    /// A bug.
    Bug = 70,
    /// Something outside is away: restart later.
    Transient = 75,
    /// Configuration or identity is wrong: a restart changes nothing.
    Configuration = 78,
}

/// Why the program cannot go on, with what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code to end with.
    pub exit: Exit,
    /// For people: what is wrong and what to do next.
    pub message: String,
}

impl Failure {
    /// Something outside is away.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { exit: Exit::Transient, message: message.into() }
    }

    /// Configuration or identity is wrong.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { exit: Exit::Configuration, message: message.into() }
    }

    /// A bug of ours.
    pub fn bug(message: impl Into<String>) -> Self {
        Self { exit: Exit::Bug, message: message.into() }
    }

    /// Stopped after a contradiction.
    pub fn halted(message: impl Into<String>) -> Self {
        Self { exit: Exit::Halted, message: message.into() }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Usage => 64,
            Exit::Halted => 65,
            Exit::Bug => 70,
            Exit::Transient => 75,
            Exit::Configuration => 78,
        })
    }
}
