//! `sovrd config check`

use super::{ConfigFile, print};
use crate::exit::Failure;

pub(super) fn run(file: &ConfigFile) -> Result<(), Failure> {
    let config = file.load()?;
    print(&format!("{} is fine:\n{config:#?}", file.config.display()));
    Ok(())
}
