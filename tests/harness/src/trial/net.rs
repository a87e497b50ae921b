//! Networks that can be cut: each replica gets a network namespace of its own, wired to a bridge of
//! this machine. Needs to be root.

use anyhow::{Context, Result, bail};
use std::{path::Path, process, process::Command};

/// The bridge with one namespace for each replica. All of it goes on drop.
#[derive(Debug)]
pub(super) struct Net {
    id: u32,
    count: usize,
}

impl Net {
    /// Wires up so many namespaces.
    pub(super) fn start(count: usize) -> Result<Self> {
        sweep();
        let net = Self { id: process::id(), count };
        let (bridge, own) = (net.bridge(), format!("{}/24", net.address(253)));
        ip(&format!("link add {bridge} type bridge"))
            .context("a trial with a cluster needs root")?;
        ip(&format!("addr add {own} dev {bridge}"))?;
        ip(&format!("link set {bridge} up"))?;
        for n in 0..count {
            net.add(n)?;
        }
        Ok(net)
    }

    fn add(&self, n: usize) -> Result<()> {
        let (space, outer, inner) = (self.space(n), self.wire(n), format!("svi{}-{n}", self.id));
        let (bridge, own) = (self.bridge(), format!("{}/24", self.address(n)));
        ip(&format!("netns add {space}"))?;
        ip(&format!("link add {outer} type veth peer name {inner} netns {space}"))?;
        ip(&format!("link set {outer} master {bridge} up"))?;
        ip(&format!("-n {space} addr add {own} dev {inner}"))?;
        ip(&format!("-n {space} link set {inner} up"))?;
        ip(&format!("-n {space} link set lo up"))
    }

    /// The namespace of a replica.
    pub(super) fn space(&self, n: usize) -> String {
        format!("sovr-{}-{n}", self.id)
    }

    /// The address of a replica.
    pub(super) fn address(&self, n: usize) -> String {
        format!("10.{}.{}.{}", 64 + self.id / 251 % 64, self.id % 251, n + 1)
    }

    /// Cuts a replica off from everybody, or joins it again.
    pub(super) fn set(&self, n: usize, is_up: bool) -> Result<()> {
        ip(&format!("link set {} {}", self.wire(n), if is_up { "up" } else { "down" }))
    }

    fn bridge(&self) -> String {
        format!("svb{}", self.id)
    }

    fn wire(&self, n: usize) -> String {
        format!("svo{}-{n}", self.id)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for n in 0..self.count {
            let _ = ip(&format!("netns del {}", self.space(n)));
            let _ = ip(&format!("link del {}", self.wire(n)));
        }
        let _ = ip(&format!("link del {}", self.bridge()));
    }
}

/// Removes what trials left behind that were killed before they could clean up.
fn sweep() {
    let Ok(spaces) = std::fs::read_dir("/run/netns") else { return };
    for space in spaces.flatten() {
        let name = space.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("sovr-").and_then(|rest| rest.split_once('-'));
        if pid.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists()) {
            let _ = ip(&format!("netns del {name}"));
            if let Some((pid, _)) = pid {
                let _ = ip(&format!("link del svb{pid}"));
            }
        }
    }
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output().context("cannot run ip")?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
