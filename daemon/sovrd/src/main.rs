//! `sovrd`: parse, run, end with the right code.

use clap::{Parser, error::ErrorKind};
use sovrd::{cli::Cli, exit::Exit};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            let _terminal_is_gone = error.print();
            return if asked { ExitCode::SUCCESS } else { Exit::Usage.into() };
        }
    };
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sovrd: {failure}");
            failure.exit.into()
        }
    }
}
