//! Five replicas of the ledger on this machine, started by the files that `deploy/` gives operators,
//! each in a network of its own.

use super::net::Net;
use crate::{
    paths,
    process::{Launch, Lifetime, Server},
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Replicas; two may be away.
pub const REPLICAS: usize = 5;
const PORT: u16 = 3_000;
const CLUSTER_ID: u128 = 7;
const START_LIMIT: Duration = Duration::from_secs(120);

/// The running cluster.
#[derive(Debug)]
pub struct Cluster {
    // Before the network: servers end before their namespaces go.
    replicas: Vec<Replica>,
    net: Net,
}

#[derive(Debug)]
struct Replica {
    server: Server,
    launch: Launch,
    file: PathBuf,
    data: PathBuf,
}

impl Cluster {
    /// Formats and starts all of them in `folder`.
    ///
    /// # Errors
    /// When one does not start; with the last lines of its log.
    pub fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let net = Net::start(REPLICAS)?;
        let replicas = (0..REPLICAS).map(|n| Replica::start(folder, &net, n));
        let replicas = replicas.collect::<Result<_>>()?;
        let mut cluster = Self { replicas, net };
        for n in 0..REPLICAS {
            cluster.wait_listening(n)?;
        }
        Ok(cluster)
    }

    /// All replicas, in order.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        addresses(&self.net)
    }

    /// The cluster's id.
    #[must_use]
    pub const fn cluster_id(&self) -> u128 {
        CLUSTER_ID
    }

    /// The replica that leads: whoever took up the newest view last.
    #[must_use]
    pub fn primary(&self) -> usize {
        let views = self.replicas.iter().map(|replica| view(&replica.server.log_text()));
        views.max().unwrap_or_default() % REPLICAS
    }

    /// A replica's process, to stop, resume or kill it.
    ///
    /// # Errors
    /// When there is no such replica.
    pub fn server(&mut self, n: usize) -> Result<&mut Server> {
        Ok(&mut self.replica(n)?.server)
    }

    /// Starts one that was killed, on its data file.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restart(&mut self, n: usize) -> Result<()> {
        let replica = self.replica(n)?;
        replica.server = Server::start(&replica.launch)?;
        self.wait_listening(n)
    }

    /// Kills one and removes its data file.
    ///
    /// # Errors
    /// When there is no such replica.
    pub fn lose(&mut self, n: usize) -> Result<()> {
        let replica = self.replica(n)?;
        replica.server.kill9()?;
        Ok(fs::remove_file(&replica.data)?)
    }

    /// Makes a lost data file anew with the others' help, and starts the replica.
    ///
    /// # Errors
    /// With what `tigerbeetle recover` said.
    pub fn recover(&mut self, n: usize) -> Result<()> {
        let (space, file) = (self.net.space(n), self.replica(n)?.file.clone());
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &space]).arg(script()).arg("recover").arg(file);
        done(&mut command)?;
        self.restart(n)
    }

    /// Cuts one off from everybody, or joins it again.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn connect(&self, n: usize, is_connected: bool) -> Result<()> {
        self.net.set(n, is_connected)
    }

    fn replica(&mut self, n: usize) -> Result<&mut Replica> {
        self.replicas.get_mut(n).context("no such replica")
    }

    fn wait_listening(&mut self, n: usize) -> Result<()> {
        self.server(n)?.wait_for_log("listening on ", START_LIMIT).map(drop)
    }
}

impl Replica {
    fn start(folder: &Path, net: &Net, n: usize) -> Result<Self> {
        let (file, data) = (folder.join(format!("{n}.env")), folder.join(format!("{n}.data")));
        fs::write(&file, environment(net, n, &data)?)?;
        done(Command::new(script()).arg("format").arg(&file))?;
        let launch = Launch {
            name: format!("replica {n}"),
            program: "ip".into(),
            args: vec![
                "netns".into(),
                "exec".into(),
                net.space(n).into(),
                script().into(),
                "start".into(),
                file.clone().into(),
            ],
            env: vec![],
            log: folder.join(format!("{n}.log")),
            lifetime: Lifetime::Owned,
        };
        Ok(Self { server: Server::start(&launch)?, launch, file, data })
    }
}

fn script() -> PathBuf {
    paths::root().join("deploy/tigerbeetle/replica")
}

/// The operators' example with the values of this machine; every key of it must be there.
fn environment(net: &Net, n: usize, data: &Path) -> Result<String> {
    let mut text = fs::read_to_string(script().with_file_name("replica.env.example"))?;
    let program = paths::tool("tigerbeetle")?;
    for (key, value) in [
        ("TIGERBEETLE", program.display().to_string()),
        ("CLUSTER_ID", CLUSTER_ID.to_string()),
        ("REPLICA", n.to_string()),
        ("REPLICA_COUNT", REPLICAS.to_string()),
        ("ADDRESSES", addresses(net).join(",")),
        ("DATA_FILE", data.display().to_string()),
        // Small: five of them share this machine.
        ("OPTIONS", "--development".to_owned()),
    ] {
        let start = format!("\n{key}=");
        let (before, rest) = text.split_once(&start).with_context(|| format!("no {key}"))?;
        let (_, after) = rest.split_once('\n').with_context(|| format!("no end of {key}"))?;
        let quoted = if value.contains(' ') { format!("'{value}'") } else { value };
        text = format!("{before}{start}{quoted}\n{after}");
    }
    Ok(text)
}

fn addresses(net: &Net) -> Vec<String> {
    (0..REPLICAS).map(|n| format!("{}:{PORT}", net.address(n))).collect()
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// The newest view that a replica's log tells of: `view=3` or `view=2..3`.
fn view(log: &str) -> usize {
    let words =
        log.split([' ', ',', ')']).filter_map(|word| word.trim_matches('(').strip_prefix("view="));
    let last = words.filter_map(|word| word.rsplit("..").next()?.parse().ok());
    last.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_view_counts() {
        assert_eq!(view("info: 0: transition view=2..3 x\ninfo(view=1)"), 3);
        assert_eq!(view("nothing"), 0);
    }
}
