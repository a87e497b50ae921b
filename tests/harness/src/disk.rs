//! Small disks that can be full or read-only. Needs to be root.

use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A small file system of its own; unmounted on drop.
#[derive(Debug)]
pub struct Small {
    path: PathBuf,
    mib: usize,
}

impl Small {
    /// Mounts so many MiB of memory at `path`.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn mount(path: PathBuf, mib: usize) -> Result<Self> {
        fs::create_dir_all(&path)?;
        let size = format!("size={mib}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path))?;
        Ok(Self { path, mib })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes an option, such as `ro`.
    ///
    /// # Errors
    /// When the system does not allow it.
    pub fn remount(&self, option: &str) -> Result<()> {
        run(Command::new("mount").args(["-o", &format!("remount,{option}")]).arg(&self.path))
    }

    /// Leaves no byte free; remove the file that it returns to make room again.
    ///
    /// # Errors
    /// When there is more room than was asked for.
    pub fn fill(&self) -> Result<PathBuf> {
        let file = self.path.join("filler");
        let filled = fs::write(&file, vec![0; (self.mib * 2) << 20]);
        ensure!(filled.is_err(), "the file system is larger than {} MiB", self.mib * 2);
        Ok(file)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {} (this mounts a file system: it needs to be root)",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
