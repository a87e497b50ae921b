//! `sovrd completions` and `sovrd man`: made of the command line itself.

use super::Cli;
use crate::exit::Failure;
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::{io::Write, path::PathBuf};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// Which shell; put what is printed where it looks for completions.
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write the pages of all commands into this folder instead of printing the first one.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn completions(arguments: &Completions) {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "sovrd", &mut script);
    let _closed_pipe = std::io::stdout().write_all(&script);
}

pub(super) fn man(arguments: &Man) -> Result<(), Failure> {
    let wrong = |e: std::io::Error| Failure::configuration(format!("man pages: {e}"));
    if let Some(folder) = &arguments.folder {
        std::fs::create_dir_all(folder).map_err(wrong)?;
        return clap_mangen::generate_to(Cli::command(), folder).map_err(wrong);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(wrong)?;
    let _closed_pipe = std::io::stdout().write_all(&page);
    Ok(())
}
