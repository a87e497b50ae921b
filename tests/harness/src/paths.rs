//! Where things are in the checkout.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// The top of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Files of the local stack and of running tests; ignored by git.
#[must_use]
pub fn local() -> PathBuf {
    root().join(".local")
}

/// A program that `scripts/setup` installs, such as `anvil`.
///
/// # Errors
/// Says to run `scripts/setup` when it is not there.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = root().join(".tools/bin").join(name);
    if !path.exists() {
        bail!("{} is missing: run scripts/setup first", path.display());
    }
    Ok(path)
}
