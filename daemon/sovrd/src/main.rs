//! `sovrd`: parse, run, end with the right code.

use clap::{Parser, error::ErrorKind};
use sovrd::{cli::Cli, exit::Exit};
use std::{panic::AssertUnwindSafe, process::ExitCode};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _terminal_is_gone = error.print();
            return if asked { ExitCode::SUCCESS } else { Exit::Usage.into() };
        }
    };
    // The panic's own message is on standard error already.
    match std::panic::catch_unwind(AssertUnwindSafe(|| cli.run())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(failure)) => {
            eprintln!("sovrd: {failure}");
            failure.exit.into()
        }
        Err(_panic) => Exit::Bug.into(),
    }
}
